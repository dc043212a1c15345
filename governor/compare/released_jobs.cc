#include "governor/compare/released_jobs.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace flyball {

std::vector<ReleasedJob> released_jobs(const LedgerModel& model, std::uint64_t seed) {
  std::vector<ReleasedJob> jobs;
  const auto state = std::make_unique<LedgerState>();
  JobLedger ledger(model, *state, nullptr);
  ledger.reset(seed);
  const std::vector<ScenarioEvent>& events = model.scenario.events;
  auto event = events.begin();
  for (;;) {
    std::int64_t now_ns = ledger.next_ns();
    if (event != events.end()) now_ns = std::min(now_ns, event->at_ns);
    if (now_ns >= model.scenario.duration_ns) return jobs;
    // At one time the events come first, as they do in the simulation.
    for (; event != events.end() && event->at_ns <= now_ns; ++event) {
      if (event->kind == ScenarioEvent::Kind::kRequirements)
        ledger.set_required(event->app, event->required);
      if (event->kind == ScenarioEvent::Kind::kPeriod)
        ledger.set_period(event->app, std::llround(event->value), event->announced);
    }
    if (state->roster_ns <= now_ns) ledger.turn_roster(now_ns);
    for (int a = 0; a < model.apps; ++a) {
      LedgerApp& app = state->app[static_cast<std::size_t>(a)];
      while (app.arrivals.next_ns() <= now_ns) {
        if (!ledger.release(a)) continue;  // a queue of no length: nobody can serve it
        jobs.push_back({a, app.waiting_job(app.waiting - 1)});
        ledger.drop_newest(a);
      }
    }
  }
}

}  // namespace flyball
