#include "governor/record/record_codec.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/control_character.h"

namespace flyball {
namespace {

/// A flag for whether something follows.
constexpr std::uint8_t kRecorded = 1, kFresh = 2, kApplied = 4, kValue = 8, kRunnerUp = 16,
                       kVerdictShift = 5;  // 2 bits
constexpr std::uint8_t kMissed = 1, kDropped = 2, kInfeasible = 4, kAccuracy = 8;

/// Visits every knob of an action in a fixed order.
template <class A, class B, class F>
void each_knob(A& one, B& other, const KnobCounts& counts, const F& visit) {
  for (int c = 0; c < counts.clusters; ++c)
    visit(one.opp[static_cast<std::size_t>(c)], other.opp[static_cast<std::size_t>(c)]);
  for (int a = 0; a < counts.slots; ++a) {
    auto& mine = one.app[static_cast<std::size_t>(a)];
    auto& others = other.app[static_cast<std::size_t>(a)];
    visit(mine.mapping, others.mapping);
    visit(mine.level, others.level);
  }
}

/// The knobs that differ: how many, then the distance to each and its value.
void put_action(Encoder& out, const Action& action, const Action& from, const KnobCounts& counts) {
  int differ = 0, gap = 0;
  each_knob(action, from, counts, [&](std::uint8_t a, std::uint8_t b) { differ += a != b; });
  out.number(static_cast<std::uint64_t>(differ));
  each_knob(action, from, counts, [&](std::uint8_t a, std::uint8_t b) {
    if (a != b) {
      out.number(static_cast<std::uint64_t>(gap));
      out(a);
      gap = 0;
    } else {
      ++gap;
    }
  });
}

void get_action(Decoder& in, Action& action, const Action& from, const KnobCounts& counts) {
  action = from;
  std::uint64_t differ = in.number(), gap = differ > 0 ? in.number() : 0;
  each_knob(action, from, counts, [&](std::uint8_t& knob, std::uint8_t) {
    if (differ == 0 || gap-- > 0) return;
    knob = in.byte();
    gap = --differ > 0 ? in.number() : 0;
  });
  if (differ > 0) in.overrun = true;
}

/// As a decision's numbers: of what people read, a float's precision is more than enough.
void put_forecast(Encoder& out, const Forecast& one) {
  out(one.app);
  out.number(one.sequence);
  out(one.time_ns), out(one.time_sd_ns), out(one.energy_mj), out(one.energy_sd_mj);
  out(one.miss_probability);
}
void get_forecast(Decoder& in, Forecast& one) {  // its slot is known
  one.sequence = in.number();
  in(one.time_ns), in(one.time_sd_ns), in(one.energy_mj), in(one.energy_sd_mj);
  in(one.miss_probability);
}

// Beside the slot, of a forecast that is as it was last written.
constexpr std::uint8_t kAsBefore = 128;
static_assert(kMaxApps <= kAsBefore);

/// Whether a forecast of a running job, made anew, tells nobody more than the one before.
bool is_as_before(const Forecast& now, const Forecast& before) {
  const auto near = [](float a, float b, float within) { return std::abs(a - b) <= within; };
  const auto alike = [&](float mean, float sd, float was, float was_sd) {
    return near(mean, was, was_sd / 4) && sd <= 2 * was_sd && was_sd <= 2 * sd;
  };
  return now.sequence == before.sequence &&
         alike(now.time_ns, now.time_sd_ns, before.time_ns, before.time_sd_ns) &&
         alike(now.energy_mj, now.energy_sd_mj, before.energy_mj, before.energy_sd_mj) &&
         near(now.miss_probability, before.miss_probability, 0.05f);
}

}  // namespace

void put_binding(Encoder& out, int slot, const Binding& binding) {
  out(static_cast<std::uint8_t>(slot));
  out.text(binding.name);
  out.text(binding.profile);
  out.number(static_cast<std::uint32_t>(binding.threads));
  out(binding.plain_load);
  const std::size_t knobs = std::min<std::size_t>(binding.knobs.size(), kMaxQualityKnobs);
  std::size_t room = kMaxKnobValues;
  out(static_cast<std::uint8_t>(knobs));
  for (std::size_t k = 0; k < knobs; ++k) {
    const QualityKnob& knob = binding.knobs[k];
    out.text(knob.name, kMaxKnobTextBytes);
    out.text(knob.unit, kMaxKnobTextBytes);
    out(knob.qualifies);
    const std::size_t values = std::min(knob.values.size(), room);
    room -= values;
    out.number(values);
    for (std::size_t v = 0; v < values; ++v) out.text(knob.values[v], kMaxKnobTextBytes);
  }
  const std::size_t levels = std::min<std::size_t>(binding.levels.size(), kMaxLevels);
  out.number(levels);
  for (std::size_t i = 0; i < levels; ++i) {
    const DeclaredLevel& level = binding.levels[i];
    for (std::size_t k = 0; k < knobs; ++k) out(level.knob[k]);
    out(level.accuracy_pct);
  }
}

int get_binding(Decoder& in, Binding& binding) {
  const int slot = in.byte();
  binding.name = printable(in.text());
  binding.profile = printable(in.text());
  binding.threads = static_cast<int>(in.number());
  in(binding.plain_load);
  const std::size_t knobs = in.byte();
  if (slot >= kMaxApps || knobs > kMaxQualityKnobs) return -1;
  binding.knobs.resize(knobs);
  for (QualityKnob& knob : binding.knobs) {
    knob.name = printable(in.text());
    knob.unit = printable(in.text());
    in(knob.qualifies);
    const std::uint64_t values = in.number();
    if (values > kMaxKnobValues) return -1;
    knob.values.resize(values);
    for (std::string& value : knob.values) value = printable(in.text());
  }
  const std::uint64_t levels = in.number();
  if (levels > kMaxLevels) return -1;
  binding.levels.resize(levels);
  for (DeclaredLevel& level : binding.levels) {
    for (std::size_t k = 0; k < knobs; ++k) in(level.knob[k]);
    in(level.accuracy_pct);
  }
  return in.overrun ? -1 : slot;
}

void put_job(Encoder& out, const JobRecord& job, RecordState& state) {
  const bool accuracy = state.accuracy_pct[job.app] != job.accuracy_pct ||
                        state.accuracy_floor_pct[job.app] != job.accuracy_floor_pct;
  out(job.app);
  out(static_cast<std::uint8_t>((job.missed ? kMissed : 0) | (job.dropped ? kDropped : 0) |
                                (job.infeasible ? kInfeasible : 0) | (accuracy ? kAccuracy : 0)));
  out(job.setting.mapping), out(job.setting.level);
  out.number(job.sequence);
  out.difference(job.finish_ns - state.finish_ns);
  out.difference(job.finish_ns - job.start_ns);
  out.difference(job.start_ns - job.release_ns);
  out.difference(job.deadline_ns - job.release_ns);
  out(static_cast<float>(job.energy_mj)), out(static_cast<float>(job.cycles));
  if (accuracy) out(job.accuracy_pct), out(job.accuracy_floor_pct);
  state.finish_ns = job.finish_ns;
  state.accuracy_pct[job.app] = job.accuracy_pct;
  state.accuracy_floor_pct[job.app] = job.accuracy_floor_pct;
}

void get_job(Decoder& in, JobRecord& job, RecordState& state) {
  job = {};
  job.app = in.byte();
  if (job.app >= kMaxApps) {
    in.overrun = true;
    return;
  }
  const std::uint8_t flags = in.byte();
  job.missed = (flags & kMissed) != 0;
  job.dropped = (flags & kDropped) != 0;
  job.infeasible = (flags & kInfeasible) != 0;
  in(job.setting.mapping), in(job.setting.level);
  job.sequence = in.number();
  const auto plus = [](std::int64_t a, std::int64_t b) {  // of a foreign file: no overflow
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  };
  const auto minus = [&](std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
  };
  job.finish_ns = plus(state.finish_ns, in.difference());
  job.start_ns = minus(job.finish_ns, in.difference());
  job.release_ns = minus(job.start_ns, in.difference());
  job.deadline_ns = plus(job.release_ns, in.difference());
  // In this order, so that whoever subtracts them does not overflow.
  if (job.release_ns < 0 || job.start_ns < job.release_ns || job.finish_ns < job.start_ns ||
      job.deadline_ns < 0)
    in.overrun = true;
  float energy_mj, cycles;
  in(energy_mj), in(cycles);
  job.energy_mj = energy_mj;
  job.cycles = cycles;
  float& accuracy = state.accuracy_pct[job.app];
  float& floor = state.accuracy_floor_pct[job.app];
  if ((flags & kAccuracy) != 0) in(accuracy), in(floor);
  job.accuracy_pct = accuracy;
  job.accuracy_floor_pct = floor;
  state.finish_ns = job.finish_ns;
}

void put_decision(Encoder& out, const DecisionRow& row, const KnobCounts& counts,
                  RecordState& state) {
  const Decision& decided = row.decision;
  const bool applied = !(row.applied == decided.action);
  std::uint8_t flags =
      static_cast<std::uint8_t>((row.recorded ? kRecorded : 0) | (applied ? kApplied : 0) |
                                static_cast<unsigned>(row.verdict) << kVerdictShift);
  if (row.recorded) {
    flags = static_cast<std::uint8_t>(flags | (decided.fresh ? kFresh : 0) |
                                      (decided.value != 0 ? kValue : 0) |
                                      (decided.has_runner_up ? kRunnerUp : 0));
  }
  out(flags);
  put_action(out, decided.action, state.decided, counts);
  if (applied) put_action(out, row.applied, decided.action, counts);
  state.decided = decided.action;
  if (!row.recorded) return;
  out(decided.probability);
  if (decided.value != 0) out(decided.value);
  out(static_cast<std::uint8_t>(decided.reason.code));
  out(decided.reason.index);
  for (const float number : decided.reason.number) out(number);
  const int forecasts = std::min<int>(decided.forecasts, kMaxForecasts);
  out(static_cast<std::uint8_t>(forecasts));
  for (int i = 0; i < forecasts; ++i) {
    const Forecast& one = decided.forecast[static_cast<std::size_t>(i)];
    Forecast& before = state.forecast[one.app];
    bool& foretold = state.foretold[one.app];
    if (foretold && is_as_before(one, before)) {
      out(static_cast<std::uint8_t>(one.app | kAsBefore));
      continue;
    }
    put_forecast(out, one);
    before = one;
    foretold = true;
  }
  if (decided.has_runner_up) {
    out(decided.runner_up.mapping), out(decided.runner_up.level);
    out(decided.runner_up_energy_mj);
  }
  out.difference(row.decide_ns);
}

void get_decision(Decoder& in, DecisionRow& row, const KnobCounts& counts, RecordState& state) {
  row = {};
  Decision& decided = row.decision;
  const std::uint8_t flags = in.byte();
  row.recorded = (flags & kRecorded) != 0;
  row.verdict = static_cast<Shield::Verdict>(flags >> kVerdictShift & 3);
  get_action(in, decided.action, state.decided, counts);
  row.applied = decided.action;
  if ((flags & kApplied) != 0) get_action(in, row.applied, decided.action, counts);
  state.decided = decided.action;
  if (!row.recorded) return;
  decided.fresh = (flags & kFresh) != 0;
  in(decided.probability);
  if ((flags & kValue) != 0) in(decided.value);
  const std::uint8_t code = in.byte();
  if (code > static_cast<std::uint8_t>(Reason::Code::kRefused)) in.overrun = true;
  decided.reason.code = static_cast<Reason::Code>(code);
  in(decided.reason.index);
  if (decided.reason.index >= kMaxApps) in.overrun = true;
  for (float& number : decided.reason.number) in(number);
  in(decided.forecasts);
  if (decided.forecasts > kMaxForecasts) {
    in.overrun = true;
    decided.forecasts = 0;
  }
  for (int i = 0; i < decided.forecasts; ++i) {
    Forecast& one = decided.forecast[static_cast<std::size_t>(i)];
    const std::uint8_t first = in.byte();
    const bool as_before = (first & kAsBefore) != 0;
    one.app = first & (kAsBefore - 1);
    if (one.app >= kMaxApps || (as_before && !state.foretold[one.app])) {
      in.overrun = true;
      decided.forecasts = 0;
      return;
    }
    if (as_before) {
      one = state.forecast[one.app];
      continue;
    }
    get_forecast(in, one);
    state.forecast[one.app] = one;
    state.foretold[one.app] = true;
  }
  decided.has_runner_up = (flags & kRunnerUp) != 0;
  if (decided.has_runner_up) {
    in(decided.runner_up.mapping), in(decided.runner_up.level);
    in(decided.runner_up_energy_mj);
  }
  row.decide_ns = in.difference();
}

}  // namespace flyball
