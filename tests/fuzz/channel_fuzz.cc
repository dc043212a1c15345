// The application channel: a hello, and then whatever a client may do with the memory that it is given;
// what it may ask for by the socket (channel_changes.cc); and, for the library, whatever may come from a
// governor (channel_library.cc).

#include <sys/mman.h>

#include <cmath>
#include <memory>

#include "env/spaces/observation.h"
#include "governor/channel/guest_seat.h"
#include "tests/fuzz/channel_input.h"
#include "tests/fuzz/input_file.h"

namespace flyball::fuzz {
namespace {

constexpr std::int64_t kEpochNs = 10'000'000;

void check(const Observation& now, const Guest& guest) {
  for (const JobRecord& job : now.jobs()) {
    if (job.start_ns < job.release_ns || job.finish_ns < job.start_ns || job.finish_ns > now.now_ns)
      broken("a job that is told of happened in order, and by now", std::to_string(job.finish_ns));
    if (job.setting.level >= guest.offer.binding.levels.size())
      broken("a level is one that is offered", std::to_string(job.setting.level));
    if (job.setting.mapping > 1)
      broken("a mapping is one that there is", std::to_string(job.setting.mapping));
    if (!std::isfinite(job.energy_mj) || job.energy_mj < 0)
      broken("an energy is one", std::to_string(job.energy_mj));
  }
  const AppObservation& app = now.app[0];
  if (app.running.busy && app.running.start_ns > now.now_ns)
    broken("what runs has begun", std::to_string(app.running.start_ns));
  if (!std::isfinite(app.energy_mj)) broken("an energy is one", std::to_string(app.energy_mj));
}

/// Of a machine of CPUs and a GPU.
const Elements& elements() {
  static const Elements kElements = [] {
    PlatformSpec spec;
    spec.clusters.resize(2);
    spec.clusters[0].name = "big";
    spec.clusters[1].name = "gpu";
    spec.clusters[1].kind = ClusterSpec::Kind::kGpu;
    spec.mappings.resize(2);
    spec.mappings[0].cores[0] = spec.mappings[1].cores[1] = 1;
    return Elements(spec);
  }();
  return kElements;
}

void play_memory(Bytes& input) {
  static const auto table = std::make_unique<GuestTable>();
  static const auto now = std::make_unique<Observation>();
  Guest& guest = table->guest[0];
  guest.offer = Offer();
  const std::string why = read_offer(hello_of(input), guest.offer);
  check_printable(why);
  if (!why.empty()) return;
  const std::string lacks = find_elements(elements(), guest.offer);
  check_printable(lacks);
  if (!lacks.empty()) return;
  guest.memory.emplace();
  void* at = mmap(nullptr, FLYBALL_SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
                  guest.memory->descriptor(), 0);
  auto* client = static_cast<char*>(at);
  GuestSeat seat;
  seat.bind(guest, {0, static_cast<std::uint8_t>(guest.offer.binding.levels.size() - 1)}, 0);
  for (std::int64_t epoch = 1; input.left() > 0 && epoch < 64; ++epoch) {
    auto* shared = reinterpret_cast<fly_shared*>(client);
    std::uint8_t how = 0;
    input.take(&how, 1);
    if (how % 4 == 0) {  // anything anywhere
      std::uint16_t where = 0;
      input.take(&where, sizeof where);
      input.take(client + where % (FLYBALL_SHARED_BYTES - 256), 1 + where % 256);
    } else if (how % 4 == 1) {
      input.take(&shared->running, sizeof shared->running);
    } else {  // a report, as good as the input makes it
      fly_job& job = shared->job[shared->head % FLYBALL_RING_JOBS];
      job.release_ns = job.start_ns = (epoch - 1) * kEpochNs;
      job.finish_ns = job.start_ns + kEpochNs / 2;
      job.sequence = shared->head;
      if (how % 4 == 2) input.take(&job, sizeof job);
      ++shared->head;
    }
    now->clear_jobs();
    now->now_ns = epoch * kEpochNs;
    seat.read(-1'000, now->now_ns, kEpochNs, *now, 0);
    seat.charge(1000, now->now_ns, 800, *now, 0);
    check(*now, guest);
  }
  munmap(at, FLYBALL_SHARED_BYTES);
  guest.memory.reset();
}

}  // namespace
}  // namespace flyball::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  flyball::fuzz::Bytes input(data, size);
  std::uint8_t of = 0;
  input.take(&of, 1);
  switch (of % 4) {
    case 0:
      flyball::fuzz::play_changes(input);
      break;
    case 1:
      flyball::fuzz::play_library(input);
      break;
    default:
      flyball::fuzz::play_memory(input);
  }
  return 0;
}
