#include <algorithm>
#include <cstdlib>

#include "env/linux/discover/linux_machine.h"

namespace flyball {
namespace {

constexpr const char* kEnergyModels = "/sys/kernel/debug/energy_model";
// include/linux/energy_model.h
constexpr std::int64_t kMicrowatts = 1, kArtificial = 4;

std::int64_t flags_of(const SysTree& tree, const std::string& at) {
  const std::string text = tree.line(at + "/flags").value_or("");
  return std::strtoll(text.c_str(), nullptr, 0);  // "0x1"
}

/// Microwatts since Linux 6.0, which says so in its flags; milliwatts, or a "units" file, before.
void read_states(const SysTree& tree, const std::string& at, EnergyModel& model) {
  const std::int64_t flags = flags_of(tree, at);
  model.abstract = (flags & kArtificial) != 0 || tree.line(at + "/units") == "bogoWatts";
  const double mw_per_unit = (flags & kMicrowatts) != 0 ? 1e-3 : 1;
  for (const std::string& entry : tree.entries(at, "ps:")) {
    const auto khz = tree.number(at + "/" + entry + "/frequency");
    const auto power = tree.number(at + "/" + entry + "/power");
    if (khz && power && *khz > 0 && *power > 0)
      model.states.push_back({*khz, static_cast<double>(*power) * mw_per_unit});
  }
  std::sort(model.states.begin(), model.states.end(),
            [](const auto& a, const auto& b) { return a.freq_khz < b.freq_khz; });
}

}  // namespace

double EnergyModel::power_mw(double freq_khz) const {
  if (states.empty()) return 0;
  for (std::size_t i = 0; i < states.size(); ++i) {
    const auto khz = static_cast<double>(states[i].freq_khz);
    if (freq_khz > khz) continue;
    if (i == 0) return states[0].power_mw;
    const auto below_khz = static_cast<double>(states[i - 1].freq_khz);
    const double part = (freq_khz - below_khz) / (khz - below_khz);
    return states[i - 1].power_mw + part * (states[i].power_mw - states[i - 1].power_mw);
  }
  return states.back().power_mw;
}

const EnergyModel* LinuxMachine::energy_model_of(int cpu) const {
  for (const EnergyModel& model : energy_models) {
    if (!model.abstract && model.cpus.contains(cpu)) return &model;
  }
  return nullptr;
}

/// A folder for each domain; a GPU's has no CPUs and is passed over.
std::vector<EnergyModel> discover_energy_models(const SysTree& tree) {
  std::vector<EnergyModel> models;
  for (const std::string& entry : tree.entries(kEnergyModels)) {
    const std::string at = std::string(kEnergyModels) + "/" + entry;
    EnergyModel model;
    const auto cpus = parse_cpu_list(tree.line(at + "/cpus").value_or(""));
    if (!cpus || cpus->empty()) continue;
    model.cpus = *cpus;
    read_states(tree, at, model);
    if (!model.states.empty()) models.push_back(std::move(model));
  }
  return models;
}

}  // namespace flyball
