#include <unistd.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "governor/channel/channel_server.h"
#include "kernels/base/control_character.h"
#include "tests/fuzz/channel_input.h"
#include "tests/fuzz/input_file.h"

namespace flyball {

/// A client and a place of a server whose own thread has nobody to serve.
class ChannelServerFuzz {
 public:
  ChannelServerFuzz() {
    client_.user = getuid();
    client_.pid = getpid();
    client_.place = 0;
  }
  Guest& guest() { return table_->guest[0]; }
  bool change(std::span<const char> message, std::int64_t now_ns) {
    return server_.change(client_, message, now_ns);
  }
  std::string list() const { return server_.list(client_); }

 private:
  fuzz::OutputFolder folder_;
  StateDir dir_ = StateDir::make(folder_.path());
  std::unique_ptr<GuestTable> table_ = std::make_unique<GuestTable>();
  ChannelServer server_{dir_, *table_, ChannelServer::Options{}};
  ChannelServer::Client client_;
};

namespace fuzz {
namespace {

void check_required(const Requirements& required) {
  constexpr std::int64_t kDayNs = 86'400'000'000'000;
  for (const std::int64_t ns : {required.period_ns, required.deadline_ns, required.grace_ns})
    if (ns < 0 || ns > kDayNs) broken("a time is one, of a day at most", std::to_string(ns));
  for (const double number :
       {required.accuracy_floor_pct, required.energy_budget_mj, required.power_budget_mw})
    if (!std::isfinite(number) || number < 0) broken("a budget is one", std::to_string(number));
  if (required.accuracy_floor_pct > 100)
    broken("an accuracy is of 100 %", std::to_string(required.accuracy_floor_pct));
  if (required.priority < 1 || required.priority > 100)
    broken("a priority is from 1 to 100", std::to_string(required.priority));
}

}  // namespace

void play_changes(Bytes& input) {
  static ChannelServerFuzz server;
  Guest& guest = server.guest();
  guest.offer = Offer();
  if (!read_offer(hello_of(input), guest.offer).empty()) return;
  guest.required.put(guest.offer.required);
  GuestShown shown;
  shown.monitor.fill(std::nanf(""));
  input.take(shown.monitor.data(), sizeof shown.monitor);
  input.take(&shown.level, sizeof shown.level);
  guest.shown.put(shown);
  guest.state = Guest::State::kReady;
  for (std::int64_t now_ns = 1; input.left() > 0 && now_ns < 64; ++now_ns) {
    std::uint8_t how = 0;
    input.take(&how, 1);
    fly_change message{};
    message.magic = FLY_MAGIC;
    message.kind = static_cast<std::uint32_t>(FLY_REQUIRE + how % 3);
    message.required.priority = 1;
    message.thread_count = 1;
    message.thread[0] = getpid();
    std::vector<char> bytes(sizeof message);
    if (how % 5 == 0) {  // any of it
      input.take(&message, sizeof message);
    } else if (how % 5 < 4) {
      std::uint8_t length = 0;
      input.take(&length, 1);
      input.take(&message.vote, length % (sizeof message - 8));
    }
    std::memcpy(bytes.data(), &message, sizeof message);
    if (how % 11 == 0) bytes.resize(how % (2 * sizeof message));
    server.change(bytes, now_ns);
    Requirements required;
    if (guest.required.get(required)) check_required(required);
    if (guest.increase_until_ns > now_ns + FLYBALL_VOTE_NS ||
        guest.spike_until_ns > now_ns + FLYBALL_VOTE_NS)
      broken("a vote expires", std::to_string(guest.increase_until_ns));
  }
  const std::string told = server.list();
  check_printable(printable(told));
  if (!nlohmann::json::accept(told)) broken("what is listed is JSON", told);
  guest.state = Guest::State::kFree;
  guest.increase_until_ns = guest.spike_until_ns = 0;
}

}  // namespace fuzz
}  // namespace flyball
