#pragma once

#include <string>
#include <vector>

#include "agents/agent.h"

namespace flyball {

inline std::vector<std::uint8_t> saved_of(const Agent& agent) {
  ByteWriter out;
  agent.save(out);
  return out.take();
}

/// What a Q-learner has saved, read by the layout of its payload.
struct LearnedTables {
  struct Table {
    std::uint64_t visits = 0;
    double energy = 0, penalty = 0;  ///< sums over all entries of both tables, without the states'
    std::vector<std::uint64_t> visits_of;  ///< per action
  };
  struct Profile {
    std::string name;
    std::uint64_t jobs = 0;
    Table slow, fast;
  };
  std::vector<Profile> profile;
  std::size_t bytes = 0;  ///< of the tables and what stands before them

  static LearnedTables of(const Agent& agent) {
    const std::vector<std::uint8_t> payload = saved_of(agent);
    ByteReader in(payload, "payload");
    LearnedTables all;
    in.skip(8);  // version, mappings
    all.profile.resize(in.u32());
    for (Profile& p : all.profile) {
      p.name = in.text(256);
      in.skip(8);  // hash
      p.jobs = in.u64();
      p.slow = table(in);
      p.fast = table(in);
    }
    all.bytes = in.at();  // what follows is learned of the board
    return all;
  }
  Table slow() const { return sum(&Profile::slow); }
  Table fast() const { return sum(&Profile::fast); }

 private:
  static Table table(ByteReader& in) {
    Table t;
    const std::uint32_t states = in.u32(), actions = in.u32();
    t.visits_of.resize(actions);
    for (std::uint32_t i = 0; i < states * actions; ++i) {
      for (int side = 0; side < 2; ++side) {
        t.energy += static_cast<double>(in.f32());
        t.penalty += static_cast<double>(in.f32());
      }
      std::uint64_t visits = in.u32();
      visits += in.u32();
      t.visits += visits;
      t.visits_of[i % actions] += visits;
    }
    in.skip(states * 16);
    return t;
  }
  Table sum(Table Profile::*which) const {
    Table t;
    for (const Profile& p : profile) {
      t.visits += (p.*which).visits;
      t.energy += (p.*which).energy;
      t.penalty += (p.*which).penalty;
    }
    return t;
  }
};

}  // namespace flyball
