// As steady.c, in C++.
#include <cerrno>
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
  long published = 0, refused = 0, other = 0;
  while (told == 0) {
    flyball_begin(session.get(), 0);
    nap();
    const int error = flyball_end(session.get());
    ++(error == 0 ? published : error == EBUSY ? refused : other);
  }
  while (told != SIGUSR1) {
    session.connected();
    nap();
  }
  std::printf("published %ld refused %ld other %ld\n", published, refused, other);
}
