#include "agents/placement.h"

#include <algorithm>
#include <cstdlib>

namespace flyball {

namespace {

bool asymmetric(const RunQueues& queues) {
  for (int i = 1; i < queues.cpu_count(); ++i) {
    if (queues.capacity(queues.cpu(i).cluster) != queues.capacity(queues.cpu(0).cluster))
      return true;
  }
  return false;
}

}  // namespace

Placement::Placement(Kind kind, const PlatformSpec& platform)
    : kind_(kind),
      platform_(platform),
      queues_(platform),
      energy_model_(platform),
      asymmetric_(asymmetric(queues_)),
      placed_(static_cast<std::size_t>(queues_.cpu_count())) {
  if (!asymmetric_) kind_ = Kind::kIdleSibling;
}

bool Placement::allowed(int app, int cluster) const {
  return queues_.app(app).profile->unit[static_cast<std::size_t>(cluster)].supported;
}

void Placement::place(const Observation& now, Action& action) {
  std::fill(placed_.begin(), placed_.end(), std::uint16_t{0});
  const bool by_energy = kind_ == Kind::kEnergyAware && !queues_.overutilised();
  for (int a = 0; a < queues_.app_count(); ++a) {
    AppSetting& setting = action.app[static_cast<std::size_t>(a)];
    RunQueues::App& app = queues_.app(a);
    if (app.profile == nullptr) continue;
    setting.level = static_cast<std::uint8_t>(app.profile->levels.size() - 1);
    if (a < now.app_count && !now.app[static_cast<std::size_t>(a)].active) {
      setting.mapping = now.app[static_cast<std::size_t>(a)].setting.mapping;
      continue;
    }
    placing_app_ = a;
    for (placing_task_ = 0; placing_task_ < static_cast<int>(app.tasks.size()); ++placing_task_) {
      Task& task = app.tasks[static_cast<std::size_t>(placing_task_)];
      if (task.cpu < 0)
        task.wake_on = by_load(a);
      else
        task.wake_on = by_energy ? energy_efficient(a, task) : idle_sibling(a, task);
      if (task.wake_on >= 0) ++placed_[static_cast<std::size_t>(task.wake_on)];
    }
    app.wakes_with = static_cast<std::uint8_t>(nearest_mapping(a));
    setting.mapping = app.wakes_with;
    placing_app_ = -1;
  }
}

int Placement::by_load(int app) const {
  int best = -1, least = 0;
  for (int i = 0; i < queues_.cpu_count(); ++i) {
    const int cluster = queues_.cpu(i).cluster;
    if (!allowed(app, cluster)) continue;
    const int load = placed_[static_cast<std::size_t>(i)] + (others_keep_busy(i) ? 1 : 0);
    if (best >= 0) {
      const double gain = queues_.capacity(cluster) - queues_.capacity(queues_.cpu(best).cluster);
      if (load > least || (load == least && gain <= 0)) continue;
    }
    best = i, least = load;
  }
  return best;
}

bool Placement::others_keep_busy(int cpu) const { return queues_.other_share(cpu) > 0.5; }

bool Placement::idle(int cpu) const {
  if (others_keep_busy(cpu)) return false;
  const std::int64_t released_ns = queues_.app(placing_app_).released_ns;
  for (int a = 0; a < queues_.app_count(); ++a) {
    const RunQueues::App& app = queues_.app(a);
    if (!app.active) continue;
    const bool fellow = a == placing_app_;
    // What woke together is taken to do so again, one after the other.
    const bool together = a < placing_app_ && released_ns >= 0 && app.released_ns == released_ns;
    for (int t = 0; t < static_cast<int>(app.tasks.size()); ++t) {
      const Task& task = app.tasks[static_cast<std::size_t>(t)];
      if (!fellow && task.runnable && task.cpu == cpu) return false;
      const bool before = fellow ? t < placing_task_ : together;
      if (before && task.wake_on == cpu) return false;
    }
  }
  return true;
}

int Placement::idle_sibling(int app, const Task& task) const {
  const double util = std::max(task.util.util(), task.est.value());
  int best = -1;
  double most = 0;
  for (int k = 0; k < queues_.cpu_count(); ++k) {
    const int i = (task.cpu + k) % queues_.cpu_count();
    const int cluster = queues_.cpu(i).cluster;
    const double capacity = queues_.capacity(cluster);
    if (!allowed(app, cluster) || !idle(i)) continue;
    if (!asymmetric_ || RunQueues::fits(util, capacity)) return i;
    if (capacity > most) best = i, most = capacity;
  }
  return best >= 0 ? best : task.cpu;
}

double Placement::util_with(int cpu, const Task& task, bool here) const {
  double util = queues_.other_util(cpu), estimate = util;
  for (int a = 0; a < queues_.app_count(); ++a) {
    const RunQueues::App& app = queues_.app(a);
    if (!app.active || !app.started) continue;
    for (int t = 0; t < static_cast<int>(app.tasks.size()); ++t) {
      const Task& each = app.tasks[static_cast<std::size_t>(t)];
      if (&each == &task) continue;
      const bool woken = a == placing_app_ && t < placing_task_;
      if ((woken ? each.wake_on : each.cpu) != cpu) continue;
      util += each.util.util();
      // Its fellows sleep until they are placed, also those that run now: it is the next job that
      // this is about.
      if (woken || (a != placing_app_ && each.runnable)) estimate += each.est.value();
    }
  }
  if (here) {
    util += task.util.util();
    estimate += task.est.value();
  }
  return std::min(std::max(util, estimate), queues_.capacity(queues_.cpu(cpu).cluster));
}

double Placement::estimated_energy(int cluster, const Task& task, int target) const {
  double max_util = 0, busy = 0, total = 0;
  const double capacity = queues_.capacity(cluster);
  for (int i = 0; i < queues_.cpu_count(); ++i) {
    if (queues_.cpu(i).cluster != cluster) continue;
    max_util = std::max(max_util, util_with(i, task, i == target));
    busy += util_with(i, task, false);
    total += capacity;
  }
  busy = std::min(busy, total);
  // eenv_task_busy_time(): what the task adds does not depend on which CPU it adds to.
  if (target >= 0) busy = std::min(total, busy + std::max(task.util.util(), task.est.value()));
  return energy_model_.energy(cluster, max_util, busy, capacity);
}

int Placement::energy_efficient(int app, const Task& task) const {
  if (std::max(task.util.util(), task.est.value()) < 1) return task.cpu;
  double previous_cost = 1e300, best_cost = 1e300;
  int best = -1;
  for (int c = 0; c < static_cast<int>(platform_.clusters.size()); ++c) {
    if (queues_.capacity(c) == 0 || !allowed(app, c)) continue;
    int roomiest = -1;
    double most_spare = 0;
    bool previous = false;
    for (int i = 0; i < queues_.cpu_count(); ++i) {
      if (queues_.cpu(i).cluster != c) continue;
      const double util = util_with(i, task, true);
      if (!RunQueues::fits(util, queues_.capacity(c))) continue;
      if (i == task.cpu) {
        previous = true;
      } else if (queues_.capacity(c) - util > most_spare) {
        roomiest = i;
        most_spare = queues_.capacity(c) - util;
      }
    }
    if (!previous && roomiest < 0) continue;
    const double without = estimated_energy(c, task, -1);
    if (previous) {
      previous_cost = estimated_energy(c, task, task.cpu) - without;
      best_cost = std::min(best_cost, previous_cost);
    }
    if (roomiest < 0) continue;
    const double cost = estimated_energy(c, task, roomiest) - without;
    if (cost < best_cost) {
      best_cost = cost;
      best = roomiest;
    }
  }
  // Sums in another order differ in their last bits, where the kernel's integers do not.
  return best >= 0 && best_cost < previous_cost * (1 - 1e-9) ? best : task.cpu;
}

int Placement::nearest_mapping(int app) const {
  std::array<int, kMaxClusters> cores{};
  for (int i = 0; i < queues_.cpu_count(); ++i) {
    const auto& tasks = queues_.app(app).tasks;
    if (std::any_of(tasks.begin(), tasks.end(), [&](const Task& t) { return t.wake_on == i; }))
      ++cores[static_cast<std::size_t>(queues_.cpu(i).cluster)];
  }
  // Of equally near ones that with fewer CPUs, then that with more capacity.
  int best = 0, best_distance = -1, best_cores = 0;
  double best_capacity = 0;
  for (int m = 0; m < static_cast<int>(platform_.mappings.size()); ++m) {
    const Mapping& mapping = platform_.mappings[static_cast<std::size_t>(m)];
    int distance = 0, count = 0;
    double capacity = 0;
    bool runs = true;
    for (int c = 0; c < static_cast<int>(platform_.clusters.size()); ++c) {
      const int here = mapping.cores[static_cast<std::size_t>(c)];
      if (here > 0 && !allowed(app, c)) runs = false;
      distance += std::abs(here - cores[static_cast<std::size_t>(c)]);
      count += here;
      capacity += here * queues_.capacity(c);
    }
    if (!runs) continue;
    if (best_distance >= 0) {
      if (distance > best_distance) continue;
      if (distance == best_distance && count > best_cores) continue;
      if (distance == best_distance && count == best_cores && capacity <= best_capacity) continue;
    }
    best = m, best_distance = distance, best_cores = count, best_capacity = capacity;
  }
  return best;
}

}  // namespace flyball
