#include "governor/channel/elements.h"

#include <algorithm>

#include "env/model/model.h"

namespace flyball {

Elements::Elements(const PlatformSpec& spec, const std::vector<std::string>& kinds) {
  const auto add = [&](const std::string& name, unsigned clusters) {
    const auto known = std::find_if(known_.begin(), known_.end(),
                                    [&](const One& each) { return each.name == name; });
    if (known == known_.end())
      known_.push_back({name, clusters});
    else
      known->clusters |= clusters;
  };
  for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
    const bool cpu = spec.clusters[c].kind == ClusterSpec::Kind::kCpu;
    if (cpu) cpus_ |= 1u << c;
    add(c < kinds.size() ? kinds[c] : cpu ? "cpu" : "gpu", 1u << c);
  }
  // A cluster that is called as a kind is that kind.
  const std::size_t count = known_.size();
  for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
    const std::string& name = spec.clusters[c].name;
    const bool taken = std::any_of(known_.begin(), known_.begin() + static_cast<long>(count),
                                   [&](const One& each) { return each.name == name; });
    if (!taken) add(name, 1u << c);
  }
  for (const Mapping& mapping : spec.mappings) {
    Where where;
    where.clusters = cluster_mask(mapping);
    for (const std::uint8_t cores : mapping.cores) where.cores += cores;
    mappings_.push_back(where);
  }
}

unsigned Elements::find(std::string_view name) const {
  for (const One& each : known_) {
    if (each.name == name) return each.clusters;
  }
  return 0;
}

std::string Elements::names() const {
  std::string text;
  for (const One& each : known_) text += (text.empty() ? "" : ", ") + each.name;
  return text;
}

}  // namespace flyball
