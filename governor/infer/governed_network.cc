#include "governor/infer/governed_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "kernels/base/clock.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::array<const char*, 2> kPrecisionNames = {"int8", "fp32"};  // the cheaper one first

}  // namespace

std::vector<double> knob_accuracies(const Network& network) {
  std::vector<double> accuracies;
  for (int width = 0; width < network.widths(); ++width) {
    for (const Precision precision : {Precision::kInt8, Precision::kFloat32}) {
      if (precision == Precision::kInt8 && !network.has_int8()) continue;
      const std::optional<float> pct = network.accuracy_pct(width, precision);
      if (!pct) return {};
      accuracies.push_back(static_cast<double>(*pct));
    }
  }
  return accuracies;
}

GovernedNetwork::GovernedNetwork(const Network& network, const Options& options)
    : widths_(network.widths()), has_precision_(network.has_int8()) {
  std::vector<std::string> widths;
  for (int width = 0; width < widths_; ++width)
    widths.push_back(fmt::to_string(network.width_pct(width)));
  std::vector<const char*> width_names;
  for (const std::string& name : widths) width_names.push_back(name.c_str());
  const flyball_knob knobs[] = {{"width", "%", width_names.data(), width_names.size()},
                                {"precision", "", kPrecisionNames.data(), kPrecisionNames.size()}};
  const std::vector<double> accuracies = knob_accuracies(network);

  flyball_application app{};
  app.name = options.name.c_str();
  app.knobs = knobs;
  app.knob_count = has_precision_ ? 2 : 1;
  app.accuracy_pct = accuracies.empty() ? nullptr : accuracies.data();
  app.threads = options.threads;
  app.flags = FLYBALL_FOLLOWS_CPUS | FLYBALL_PINS_ITSELF;  // the pool does
  app.required = options.required;
  flyball_session* session = nullptr;
  if (flyball_open(&app, &session) != 0) throw Error(Error::Kind::kInput, flyball_why());
  session_.reset(session);
}

GovernedNetwork::Work GovernedNetwork::work_of(const flyball_setting& now) const {
  Work work;
  work.governed = now.number != 0;
  work.where = now.where;
  // A governor's words, which are checked as anybody's.
  work.setting.width = std::min<int>(now.value[0], widths_ - 1);
  work.setting.int8 = has_precision_ && now.value[1] == 0;
  work.setting.active = std::max<int>(1, now.threads);
  work.setting.speed_ratio = now.speed > 0 && now.speed <= 1 ? static_cast<double>(now.speed) : 1;
  static_assert(FLYBALL_CPUS / 64 == CpuSet::kWords);
  for (int word = 0; word < CpuSet::kWords; ++word)
    work.setting.cpus.set_word(word, now.cpus[word]);
  return work;
}

GovernedNetwork::Work GovernedNetwork::begin(std::int64_t release_ns) {
  const Work work = work_of(*flyball_begin(session_.get(), release_ns));
  governed_ = work.governed;
  return work;
}

void GovernedNetwork::end() { flyball_end(session_.get()); }

void GovernedNetwork::report_dropped(std::int64_t release_ns) {
  flyball_job job{};
  job.release_ns = release_ns;
  job.start_ns = job.finish_ns = monotonic_ns();
  job.level = -1;
  job.dropped = 1;
  flyball_report(session_.get(), &job);
}

bool GovernedNetwork::has_changed_hands() {
  if (governed_ == told_governed_) return false;
  told_governed_ = governed_;
  return true;
}

flyball_effect GovernedNetwork::effect() {
  flyball_effect effect{};
  flyball_session_effect(session_.get(), &effect);
  return effect;
}

}  // namespace flyball
