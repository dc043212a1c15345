#include "agents/learned_board.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "agents/board_transfer.h"
#include "env/model/idle_states.h"

namespace flyball {
namespace {

constexpr double kMoved = 0.02;  // of any number: less changes no plan by much
constexpr std::size_t kMaxAppNameBytes = 256;
constexpr double kTempC = PowerEstimate::kPlanTempC;

double leaking_mw(const ClusterSpec& cluster, double volts, double powered) {
  return volts * (1 - cluster.leak_core_share * (1 - powered / cluster.cores)) *
         leakage_mw(cluster, 1.0, kTempC);
}

}  // namespace

LearnedBoard::LearnedBoard(const Belief& prior)
    : prior_(prior),
      meanings_(meanings_of(prior.mean)),
      belief_(prior),
      power_(prior, belief_.mean) {
  std::size_t numbers =
      static_cast<std::size_t>(power_.factors().size()) + belief_.mean.clusters.size();
  for (AppProfile& app : belief_.mean.apps) {
    times_.push_back(app.plain_load ? nullptr : std::make_unique<TimeEstimate>(belief_.mean, app));
    if (times_.back()) numbers += static_cast<std::size_t>(times_.back()->numbers().size());
  }
  planned_.resize(numbers);
  moved();
}

/// Whether any number is elsewhere than when plans were last made; then that is now.
bool LearnedBoard::moved() const {
  std::size_t at = 0;
  bool any = false;
  const auto look = [&](const auto& numbers) {
    for (int i = 0; i < numbers.size(); ++i, ++at) {
      any = any || std::abs(numbers.mean(i) - planned_[at]) > kMoved;
    }
  };
  look(power_.factors());
  for (std::size_t c = 0; c < prior_.mean.clusters.size(); ++c, ++at) {
    any = any || std::abs(power_.warmth(static_cast<int>(c)) - planned_[at]) > kMoved;
  }
  for (const auto& times : times_) {
    if (times) look(times->numbers());
  }
  return any;
}

void LearnedBoard::correct_power() {
  PlatformSpec& board = belief_.mean;
  board.board_mw = prior_.mean.board_mw * power_.rest();
  for (std::size_t c = 0; c < board.clusters.size(); ++c) {
    const double switching = power_.switching(static_cast<int>(c));
    const double leaking = power_.leaking(static_cast<int>(c));
    const double leaking_now = leaking * power_.warmth(static_cast<int>(c));
    const ClusterSpec& was = prior_.mean.clusters[c];
    board.clusters[c].uncore_nf = was.uncore_nf * switching;
    board.clusters[c].idle_core_nf = was.idle_core_nf * switching;
    board.clusters[c].leak_a = was.leak_a * leaking_now;
    board.clusters[c].leak_c_a = was.leak_c_a * leaking_now;
    for (std::size_t a = 0; a < board.apps.size(); ++a) {
      board.apps[a].unit[c].core_nf = prior_.mean.apps[a].unit[c].core_nf * switching;
      board.apps[a].unit[c].static_ma = prior_.mean.apps[a].unit[c].static_ma * leaking;
    }
  }
  std::size_t at = 0;
  const auto keep = [&](const auto& numbers) {
    for (int i = 0; i < numbers.size(); ++i) planned_[at++] = numbers.mean(i);
  };
  keep(power_.factors());
  for (std::size_t c = 0; c < prior_.mean.clusters.size(); ++c) {
    planned_[at++] = power_.warmth(static_cast<int>(c));
  }
  for (const auto& times : times_) {
    if (times) keep(times->numbers());
  }
  ++version_;
}

void LearnedBoard::set_learning(bool on) {
  learning_ = on;
  for (const auto& times : times_) {
    if (times) times->set_learning(on);
  }
}

void LearnedBoard::observe(const Observation& outcome,
                           const std::array<std::int16_t, kMaxApps>& known) {
  if (!learning_) return;
  std::array<const AppProfile*, kMaxApps> profile;
  for (int a = 0; a < outcome.app_count; ++a) {
    profile[a] = known[a] < 0 ? nullptr : &prior_.mean.apps[static_cast<std::size_t>(known[a])];
  }
  power_.observe(outcome, profile);
  bool finished = false;
  for (int a = 0; a < outcome.app_count; ++a) finished = finished || outcome.app[a].finished > 0;
  if (finished) agree_on_lowest();
  if (finished && moved()) correct_power();
}

/// What a lowest clock delivers is the board's: who was told of it tells the others.
void LearnedBoard::agree_on_lowest() {
  for (const auto& told : times_) {
    if (!told) continue;
    for (int c = 0; c < static_cast<int>(prior_.mean.clusters.size()); ++c) {
      if (!told->told_of_lowest(c)) continue;
      for (const auto& times : times_) {
        if (times && times != told) times->take_lowest(c, *told);
      }
      told->correct();
    }
  }
}

PowerEstimate::Parts LearnedBoard::parts(int app, int mapping, int level,
                                         const OppChoice& opp) const {
  PowerEstimate::Parts parts{};
  const AppProfile& profile = belief_.mean.apps[static_cast<std::size_t>(app)];
  const AppProfile& first = prior_.mean.apps[static_cast<std::size_t>(app)];
  const Mapping& cores = prior_.mean.mappings[static_cast<std::size_t>(mapping)];
  const double seconds = execution_ns(belief_.mean, profile, cores, level, opp) * 1e-9;
  const auto load = job_load(belief_.mean, profile, cores, level, opp);
  for (std::size_t c = 0; c < prior_.mean.clusters.size(); ++c) {
    if (cores.cores[c] == 0) continue;
    const ClusterSpec& cluster = prior_.mean.clusters[c];
    const double volts = cluster.opps[opp[c]].voltage_mv / 1000;
    const double lowest_volts = cluster.opps[0].voltage_mv / 1000;
    const std::vector<OperatingPoint>& delivered = belief_.mean.clusters[c].opps;
    const double mhz = delivered[opp[c]].delivered_khz() / 1000;
    const bool gated = cluster.gate_idle_cores || first.unit[c].gate_idle_cores;
    const double busy = load[c].busy_cores;
    const double powered = gated ? busy : cluster.cores;
    const double active_nf = busy * first.unit[c].core_nf *
                             first.levels[static_cast<std::size_t>(level)].activity_factor;
    const double switched_nf = cluster.uncore_nf * std::min(1.0, powered) + active_nf +
                               cluster.idle_core_nf * (powered - busy);
    const double idle = cluster.gate_idle_cores ? 0 : cluster.cores;
    const double idle_nf = cluster.uncore_nf * std::min(1.0, idle) + cluster.idle_core_nf * idle;
    const double lowest_mhz = delivered[0].delivered_khz() / 1000;
    const double deepest = idle_share(cluster, deepest_idle(cluster, true));
    const ClusterPower asleep =
        cluster.idle_states.empty()
            ? ClusterPower{}
            : idle_saving(cluster, opp[c], cores.cores[c], gated, deepest_idle(cluster, false));
    const double named_mhz = cluster.opps[opp[c]].delivered_khz() / 1000;
    parts[2 * c] = (volts * volts * mhz * switched_nf - asleep.fixed_mw * mhz / named_mhz -
                    deepest * lowest_volts * lowest_volts * lowest_mhz * idle_nf) *
                   seconds;
    const double warmth = power_.warmth(static_cast<int>(c));
    parts[2 * c + 1] =
        (warmth * leaking_mw(cluster, volts, powered) * (1 - asleep.leak / volts) +
         volts * first.unit[c].static_ma -
         deepest * warmth * leaking_mw(cluster, lowest_volts, idle)) *
        seconds;
  }
  return parts;
}

void LearnedBoard::ablate(Ablation how, Random& random) {
  power_.factors().ablate(how, random);
  for (const auto& times : times_) {
    if (times == nullptr) continue;
    times->numbers().ablate(how, random);
    times->correct();
  }
  correct_power();
}

void LearnedBoard::save(ByteWriter& out) const {
  save_meanings(meanings_, out);
  out.u64(hash_of(prior_.mean.mappings));
  power_.factors().save(out);
  power_.factors().save_first(out);
  out.u32(static_cast<std::uint32_t>(std::count_if(
      times_.begin(), times_.end(), [](const auto& each) { return each != nullptr; })));
  for (std::size_t a = 0; a < times_.size(); ++a) {
    if (times_[a] == nullptr) continue;
    out.text(prior_.mean.apps[a].name);
    out.u64(prior_.mean.apps[a].content_hash);
    times_[a]->numbers().save(out);
    times_[a]->numbers().save_first(out);
  }
}

std::size_t LearnedBoard::saved_bytes() const {
  const auto of = [](const auto& numbers) {
    return numbers.saved_bytes() + 4 * static_cast<std::size_t>(numbers.size());
  };
  std::size_t bytes = flyball::saved_bytes(meanings_) + 8 + of(power_.factors()) + 4;
  for (std::size_t a = 0; a < times_.size(); ++a) {
    if (times_[a] == nullptr) continue;
    bytes += 2 * 8 + prior_.mean.apps[a].name.size() + of(times_[a]->numbers());
  }
  return bytes;
}

void LearnedBoard::load(ByteReader& in, bool keep) {
  const auto clusters = static_cast<int>(load_meanings(in).size());
  in.u64();
  const auto pass_over = [&](const auto& numbers, int size) {
    if (numbers.size() != size) in.reject("its number of beliefs does not fit its clusters");
  };
  auto power = power_.factors();
  if (keep) {
    power.load(in);
    power.skip_first(in);
  } else {
    pass_over(decltype(power)::of_another(in), 2 * clusters + 1);
  }
  std::vector<std::pair<std::size_t, Gaussian<TimeEstimate::kMax>>> read;
  const std::uint32_t profiles = in.u32();
  for (std::uint32_t i = 0; i < profiles; ++i) {
    const int app = prior_.mean.find_app(in.text(kMaxAppNameBytes));
    const std::uint64_t hash = in.u64();
    const auto a = static_cast<std::size_t>(std::max(0, app));
    const bool known = app >= 0 && times_[a] != nullptr;
    // One that has other costs now is believed as its new description says.
    if (keep && known && prior_.mean.apps[a].content_hash == hash) {
      read.emplace_back(a, times_[a]->numbers()).second.load(in);
      times_[a]->numbers().skip_first(in);
    } else {
      pass_over(Gaussian<TimeEstimate::kMax>::of_another(in), 3 * clusters + 1);
    }
  }
  in.end();
  if (!keep) return;
  power_.factors() = power;
  for (const auto& [a, numbers] : read) {
    times_[a]->numbers() = numbers;
    times_[a]->correct();
  }
  if (!read.empty()) {
    const TimeEstimate& known = *times_[read.front().first];
    for (const auto& times : times_) {
      const bool is_read =
          std::ranges::any_of(read, [&](const auto& one) { return times_[one.first] == times; });
      if (times == nullptr || is_read) continue;
      for (int c = 0; c < clusters; ++c) times->take_lowest(c, known);
    }
  }
  correct_power();
}

bool LearnedBoard::same_mappings(ByteReader in) const {
  const std::vector<int> like = alike(meanings_, load_meanings(in));
  if (hash_of(prior_.mean.mappings) != in.u64()) return false;
  for (int c = 0; c < static_cast<int>(like.size()); ++c) {
    if (like[static_cast<std::size_t>(c)] != c) return false;
  }
  return true;
}

std::vector<std::string> LearnedBoard::load_as_prior(ByteReader& in) {
  ByteReader all = in;
  load(all, false);
  const std::vector<ClusterMeaning>& own = meanings_;
  const std::vector<ClusterMeaning> theirs = load_meanings(in);
  in.u64();
  const std::vector<int> like = alike(own, theirs);
  // Two numbers per cluster, the same two on every board, and what is the whole board's last.
  const auto take = [&](const auto& off, auto& numbers) {
    const auto move = [&](int to, int from) {
      const double spread = numbers.deviation(to);
      const Transferred is = transferred(numbers.first(to), spread * spread, off.mean(from),
                                         off.covariance(from, from));
      numbers.restart(to, is.mean, is.variance);
    };
    for (std::size_t c = 0; c < own.size(); ++c) {
      if (like[c] < 0) continue;
      for (const int number : {0, 1}) move(2 * static_cast<int>(c) + number, 2 * like[c] + number);
    }
    return move;
  };
  // What is outside the clusters is every board's own.
  take(Gaussian<PowerEstimate::kMax>::of_another(in), power_.factors());
  const std::uint32_t profiles = in.u32();
  for (std::uint32_t i = 0; i < profiles; ++i) {
    const int app = prior_.mean.find_app(in.text(kMaxAppNameBytes));
    in.u64();
    const auto off = Gaussian<TimeEstimate::kMax>::of_another(in);
    TimeEstimate* const estimate = app < 0 ? nullptr : times(app);
    if (estimate == nullptr) continue;
    const auto move = take(off, estimate->numbers());
    // How far a job spreads over cores is the application's.
    move(2 * static_cast<int>(own.size()), 2 * static_cast<int>(theirs.size()));
    estimate->correct();
  }
  correct_power();
  // Nobody needs to be told that clusters are like themselves.
  bool other = own.size() != theirs.size();
  std::string text;
  for (std::size_t c = 0; c < own.size(); ++c) {
    other = other || like[c] < 0 || own[c].name != theirs[static_cast<std::size_t>(like[c])].name;
    if (like[c] < 0) continue;
    text += fmt::format("{}{} from its {}", text.empty() ? "" : ", ", own[c].name,
                        theirs[static_cast<std::size_t>(like[c])].name);
  }
  if (!other) return {};
  if (text.empty()) return {"nothing is taken of its clusters: none is of a kind that is here"};
  return {"what is believed begins with what it learned: " + text};
}

}  // namespace flyball
