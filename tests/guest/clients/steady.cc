// As steady.c, in C++.
#include <csignal>
#include <cstdio>
#include <ctime>

#include "flyball.hpp"

namespace {

constexpr long kPeriodNs = 20'000'000;
volatile std::sig_atomic_t told = 0;

void nap() {
  const std::timespec time{0, kPeriodNs};
  nanosleep(&time, nullptr);
}

}  // namespace

int main() {
  for (const int number : {SIGTERM, SIGUSR1})
    std::signal(number, [](int told_now) { told = told_now; });
  flyball::client::Application app;
  app.name = "in_cpp";
  app.knobs = {{"model", "", {"small", "large"}}};
  app.required.period_ns = kPeriodNs;
  flyball::client::Session session(app);
  while (!session.connected()) nap();
  while (told == 0) {
    const auto job = session.job();
    nap();
  }
  while (told != SIGUSR1) {
    session.connected();
    nap();
  }
  const flyball::client::Reports& reports = session.reports();
  std::printf("published %llu refused %llu other %llu\n", static_cast<unsigned long long>(reports.published),
              static_cast<unsigned long long>(reports.refused), static_cast<unsigned long long>(reports.unheard));
}
