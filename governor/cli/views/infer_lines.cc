#include "governor/cli/views/infer_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "governor/channel/effect_estimate.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "kernels/base/control_character.h"

namespace flyball::cli {
namespace {

constexpr int kLongestName = 24;

double ms(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

Json ms_or_null(std::int64_t ns) { return ns > 0 ? Json(ms(ns)) : Json(nullptr); }

/// "1.92 -> 3.40 ms (by 1.20 to 1.76)", or that it is not known.
std::string effect_text(const flyball_estimate& before, const flyball_estimate& now,
                        const flyball_estimate& difference, double unit, const char* name) {
  if (!difference.known || !before.known || !now.known) return "not known yet";
  return fmt::format("{} -> {} {} (a difference of {} to {})", fixed(before.mean / unit, 2),
                     fixed(now.mean / unit, 2), name, fixed(difference.low / unit, 2),
                     fixed(difference.high / unit, 2));
}

Json effect_json(const flyball_estimate& difference, double unit) {
  if (!difference.known) return nullptr;
  return Json{{"mean", number_or_null(difference.mean / unit)},
              {"low", number_or_null(difference.low / unit)},
              {"high", number_or_null(difference.high / unit)}};
}

}  // namespace

InferLines::InferLines(const InferSetup& setup, const JobImages& images, bool json)
    : setup_(setup), images_(images), json_(json) {
  for (std::size_t i = 0; i < images.images.size(); ++i)
    name_columns_ = std::max(name_columns_, display_width(images.name(i)));
  name_columns_ = std::min(name_columns_, kLongestName);
  for (std::size_t i = 0; i < images.classes.size(); ++i)
    class_columns_ =
        std::max(class_columns_, display_width(images.class_name(static_cast<int>(i))));
}

const char* InferLines::start(bool json) { return json ? "{\"schema\":1,\"infer\":" : "infer: "; }

std::string InferLines::first(bool job_lines) const {
  if (json_) {
    return line_of({{"schema", 1},
                    {"infer",
                     {{"model", setup_.model},
                      {"images", images_.images.name},
                      {"period_ms", ms_or_null(setup_.plan.period_ns)},
                      {"deadline_ms", ms_or_null(setup_.plan.deadline_ns)},
                      {"accuracy_floor_pct", setup_.required.accuracy_floor_pct}}}});
  }
  std::string text = fmt::format("infer: {} on {}, {}", setup_.model, images_.images.name,
                                 setup_.plan.period_ns > 0
                                     ? fmt::format("a job every {:g} ms", ms(setup_.plan.period_ns))
                                     : "one job after the other");
  if (setup_.plan.deadline_ns > 0)
    text += fmt::format(", due after {:g} ms", ms(setup_.plan.deadline_ns));
  text += '\n';
  if (job_lines)
    text += fmt::format("{:>7}  {:<{}}  {:<{}}  {:>10}  {:>7}  {:<9}  {:>7}\n", "job", "image",
                        name_columns_, "class", class_columns_, "latency ms", "width %",
                        "precision", "threads");
  return text;
}

std::string InferLines::job(const JobResult& result) const {
  const int width = 100 * (result.work.setting.width + 1) / setup_.widths;
  const Precision precision = result.work.setting.int8 ? Precision::kInt8 : Precision::kFloat32;
  if (json_) {
    Json line{{"job", result.sequence}, {"image", images_.name(result.image)}};
    line["class"] = result.answer;
    if (!images_.classes.empty())
      line["class_name"] = images_.classes[static_cast<std::size_t>(result.answer)];
    if (images_.labelled) line["label"] = images_.images.labels[result.image];
    line["latency_ms"] = ms(result.latency_ns);
    line["late"] = result.late;
    line["width_pct"] = width;
    line["precision"] = name_of(precision);
    line["threads"] = result.work.setting.active;
    line["governed"] = result.work.governed;
    if (!result.work.where.empty()) line["where"] = result.work.where;
    return line_of(line);
  }
  const std::string name = printable(cut_to(images_.name(result.image), name_columns_));
  const std::string answer = images_.class_name(result.answer);
  const auto pad = [](const std::string& text, int columns) {
    return text +
           std::string(static_cast<std::size_t>(std::max(0, columns - display_width(text))), ' ');
  };
  return fmt::format("{:>7}  {}  {}  {:>10.3f}  {:>7}  {:<9}  {:>7}{}{}\n", result.sequence,
                     pad(name, name_columns_), pad(answer, class_columns_), ms(result.latency_ns),
                     width, name_of(precision), result.work.setting.active,
                     result.work.where.empty() ? "" : "  " + printable(result.work.where),
                     result.late ? "  late" : "");
}

std::string InferLines::last(const InferTotals& totals, const flyball_effect& effect) const {
  return json_ ? line_of({{"totals", totals_json(totals, effect)}}) : totals_text(totals, effect);
}

Json InferLines::totals_json(const InferTotals& totals, const flyball_effect& effect) const {
  const auto percentile = [&](double pct) {
    return totals.jobs > 0 ? Json(totals.latency_ns.percentile(pct) / 1e6) : Json(nullptr);
  };
  Json json{{"jobs", totals.jobs},
            {"late", totals.late},
            {"dropped", totals.dropped},
            {"governed", totals.governed},
            {"elapsed_s", static_cast<double>(totals.elapsed_ns) / 1e9},
            {"complete", totals.complete},
            {"latency_p50_ms", percentile(50)},
            {"latency_p95_ms", percentile(95)},
            {"latency_p99_ms", percentile(99)}};
  json["accuracy_pct"] =
      images_.labelled && totals.jobs > 0
          ? Json(100.0 * static_cast<double>(totals.right) / static_cast<double>(totals.jobs))
          : Json(nullptr);
  json["effect"] = {
      {"latency_ms", effect_json(effect.latency_ns, 1e6)},
      {"energy_mj", effect_json(effect.energy_mj, 1)},
      {"energy_measured", effect.energy_measured != 0},
      {"no_comparison",
       effect.no_comparison != 0 ? Json(why_no_comparison(effect.no_comparison)) : Json(nullptr)}};
  return json;
}

std::string InferLines::totals_text(const InferTotals& totals, const flyball_effect& effect) const {
  std::string text = fmt::format("{} job{} in {} s", totals.jobs, totals.jobs == 1 ? "" : "s",
                                 fixed(static_cast<double>(totals.elapsed_ns) / 1e9, 2));
  if (setup_.plan.deadline_ns > 0) text += fmt::format(", {} late", totals.late);
  if (setup_.plan.period_ns > 0) text += fmt::format(", {} dropped", totals.dropped);
  if (totals.jobs > 0) {
    text += fmt::format("; latency {} ms (median), {} ms (95 %)",
                        fixed(totals.latency_ns.percentile(50) / 1e6, 3),
                        fixed(totals.latency_ns.percentile(95) / 1e6, 3));
    if (images_.labelled)
      text += fmt::format(
          "; {} % right",
          fixed(100.0 * static_cast<double>(totals.right) / static_cast<double>(totals.jobs), 1));
  }
  text += '\n';
  if (totals.governed == 0) return text + "No governor had it in hand.\n";
  if (effect.no_comparison != 0)
    return text + fmt::format("A governor had {} of them in hand. No comparison with before: {}.\n",
                              totals.governed, why_no_comparison(effect.no_comparison));
  text += fmt::format("A governor had {} of them in hand. Latency: {}. Energy of a job: {}{}.\n",
                      totals.governed,
                      effect_text(effect.before_ns, effect.now_ns, effect.latency_ns, 1e6, "ms"),
                      effect_text(effect.before_mj, effect.now_mj, effect.energy_mj, 1, "mJ"),
                      effect.energy_mj.known && !effect.energy_measured ? ", modelled" : "");
  return text;
}

}  // namespace flyball::cli
