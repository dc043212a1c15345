#include "governor/record/block_reader.h"

#include <algorithm>
#include <utility>

namespace flyball {
namespace {

/// A row of the file with the place that this program has for it; `known` is false without one.
Monitor placed(const Monitor& row, const std::vector<Monitor>& local, bool& known) {
  Monitor placed = row;
  const auto same = std::find_if(local.begin(), local.end(), [&](const Monitor& other) {
    return other.name == row.name && other.scope == row.scope && other.type == row.type &&
           other.index == row.index;
  });
  known = same != local.end();
  if (known) placed.offset = same->offset;
  return placed;
}

/// What is used as a count by whoever reads the observation.
bool counts_hold(const Observation& now) {
  if (now.cluster_count < 0 || now.cluster_count > kMaxClusters) return false;
  if (now.app_count < 0 || now.app_count > kMaxApps) return false;
  return std::all_of(now.app.begin(), now.app.begin() + now.app_count,
                     [](const AppObservation& app) { return app.waiting_count <= kMaxQueue; });
}

}  // namespace

BlockReader::BlockReader(const RecordingVisitor& visitor, RecordingReport& report)
    : visitor_(visitor), report_(report), slots_(kMaxApps), now_(std::make_unique<Observation>()) {
  const RecordingInfo& info = report.info;
  knobs_.clusters = static_cast<int>(info.platform.clusters.size());
  MonitorTable table(info.platform, info.weights, info.measured);
  local_platform_ = table.rows();
  table.bind(0, {}, {});
  local_app_.assign(table.rows().begin() + static_cast<std::ptrdiff_t>(local_platform_.size()),
                    table.rows().end());
}

void BlockReader::follow_roster() {
  std::vector<Monitor> rows;
  std::vector<bool> known;
  const auto add = [&](const std::vector<Monitor>& from, const std::vector<Monitor>& local,
                       int slot) {
    for (const Monitor& row : stored_rows(from)) {
      bool is_known;
      rows.push_back(placed(row, local, is_known));
      if (rows.back().scope == Monitor::Scope::kApp)
        rows.back().index = static_cast<std::uint16_t>(slot);
      known.push_back(is_known);
    }
  };
  add(report_.info.monitors, local_platform_, 0);
  knobs_.slots = 0;
  for (const int slot : order_) {
    add(report_.info.app_monitors, local_app_, slot);
    knobs_.slots = std::max(knobs_.slots, slot + 1);
  }
  rows_.set_rows(std::move(rows), std::move(known));
  readable_ = false;
}

void BlockReader::bind(int slot, Binding binding) {
  unbind(slot);
  slots_[static_cast<std::size_t>(slot)] = {true, false, std::move(binding)};
  order_.insert(std::upper_bound(order_.begin(), order_.end(), slot), slot);
}

void BlockReader::unbind(int slot) {
  Slot& left = slots_[static_cast<std::size_t>(slot)];
  if (!left.bound) return;
  if (left.told && visitor_.on_unbind) visitor_.on_unbind(slot);
  left = {};
  std::erase(order_, slot);
  AppObservation& app = now_->app[static_cast<std::size_t>(slot)];
  const std::uint32_t generation = app.generation + app.generation % 2;
  app = {};
  app.generation = generation;
  state_.decided.app[static_cast<std::size_t>(slot)] = {};
}

void BlockReader::tell_binds() {
  for (const int slot : order_) {
    Slot& one = slots_[static_cast<std::size_t>(slot)];
    if (std::exchange(one.told, true) || !visitor_.on_bind) continue;
    visitor_.on_bind(slot, one.binding, *now_);
  }
}

/// Mostly the one that is known. Another one when the block that told of the change is lost.
bool BlockReader::read_roster(Decoder& in) {
  const int count = in.byte();
  std::vector<Slot> told(kMaxApps);
  for (int i = 0; i < count; ++i) {
    Binding binding;
    const int slot = get_binding(in, binding);
    if (slot < 0 || told[static_cast<std::size_t>(slot)].bound) return false;
    told[static_cast<std::size_t>(slot)] = {true, false, std::move(binding)};
  }
  bool changed = rows_.empty();
  for (int slot = 0; slot < kMaxApps; ++slot) {
    Slot& now = told[static_cast<std::size_t>(slot)];
    const Slot& before = slots_[static_cast<std::size_t>(slot)];
    if (before.bound && now.bound && now.binding == before.binding) continue;
    if (!before.bound && !now.bound) continue;
    changed = true;
    unbind(slot);
    if (now.bound) bind(slot, std::move(now.binding));
  }
  if (changed) follow_roster();
  readable_ = false;
  state_ = {};
  return true;
}

bool BlockReader::read_observation(Decoder& in, bool absolute) {
  if (absolute)
    rows_.reset();
  else if (!readable_)
    return false;
  readable_ = true;
  BitReader bits(in.at, in.stop);
  rows_.decode(bits, *now_);
  in.at = bits.finish();
  now_->job_count = 0;
  return !bits.overrun() && counts_hold(*now_);
}

bool BlockReader::read_record(RecordType type, Decoder& in) {
  switch (type) {
    case RecordType::kRoster:
      return read_roster(in);
    case RecordType::kBind: {
      Binding binding;
      const int slot = get_binding(in, binding);
      if (slot < 0) return false;
      bind(slot, std::move(binding));
      follow_roster();
      return true;
    }
    case RecordType::kUnbind: {
      const int slot = in.byte();
      if (slot >= kMaxApps) return false;
      unbind(slot);
      follow_roster();
      return true;
    }
    case RecordType::kState:
      if (!read_observation(in, in.byte() != 0)) return false;
      if (report_.epochs == 0 && visitor_.on_start) visitor_.on_start(*now_);
      tell_binds();
      return true;
    case RecordType::kJob:
      jobs_.emplace_back();
      get_job(in, jobs_.back(), state_);
      return jobs_.size() <= kMaxEpochJobs && !in.overrun;
    case RecordType::kEpoch: {
      const bool absolute = in.byte() != 0;
      get_decision(in, decision_, knobs_, state_);
      if (in.overrun || !read_observation(in, absolute)) return false;
      for (const JobRecord& job : jobs_) now_->add_job(job);
      tell_binds();
      ++report_.epochs;
      report_.jobs_unlisted += now_->jobs_unlisted;
      report_.decisions += decision_.recorded;
      report_.jobs += jobs_.size();
      if (visitor_.on_epoch) visitor_.on_epoch(*now_, decision_);
      if (visitor_.on_job)
        for (const JobRecord& job : jobs_) visitor_.on_job(job);
      jobs_.clear();
      return true;
    }
    case RecordType::kEnd: {
      EndRow end;
      end.epochs = in.number();
      end.jobs = in.number();
      end.lost_blocks = in.number();
      end_ = end;
      return !in.overrun;
    }
  }
  return false;
}

bool BlockReader::read(const std::uint8_t* at, const std::uint8_t* stop) {
  Decoder in{at, stop};
  jobs_.clear();
  readable_ = false;
  if (in.byte() != static_cast<std::uint8_t>(RecordType::kRoster) || !read_roster(in)) return false;
  report_.roster_bytes += static_cast<std::uint64_t>(in.at - at);
  while (in.at < in.stop) {
    const std::uint8_t* const begin = in.at;
    const auto type = static_cast<RecordType>(in.byte());
    if (type == RecordType::kRoster || !read_record(type, in)) return false;
    std::uint64_t& bytes = type == RecordType::kJob     ? report_.job_bytes
                           : type != RecordType::kEpoch ? report_.roster_bytes
                           : decision_.recorded         ? report_.decision_bytes
                                                        : report_.other_bytes;
    bytes += static_cast<std::uint64_t>(in.at - begin);
  }
  return true;
}

}  // namespace flyball
