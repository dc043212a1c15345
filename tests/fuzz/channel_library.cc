#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "tests/fuzz/channel_input.h"
#include "tests/fuzz/input_file.h"

extern "C" {
#include "governor/client/session.h"
}

namespace flyball::fuzz {
namespace {

/// The memory that a governor hands over: sealed, of the right size and with the right words in it, or not.
int memory_of(Bytes& input, std::uint8_t how) {
  const int memory = memfd_create("fuzz", MFD_ALLOW_SEALING | MFD_CLOEXEC);
  if (memory < 0) return -1;
  const bool is_short = how % 13 == 0;
  if (ftruncate(memory, is_short ? how * 64 : FLYBALL_SHARED_BYTES) != 0) return memory;
  if (how % 7 != 0) fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
  std::uint32_t words[4] = {FLY_MAGIC, FLYBALL_INTERFACE, FLYBALL_SHARED_BYTES, FLYBALL_RING_JOBS};
  if (how % 5 == 0) input.take(words, sizeof words);
  if (pwrite(memory, words, std::min<std::size_t>(sizeof words, is_short ? how * 64 : 16), 0) < 0)
    return memory;
  return memory;
}

void send_welcome(int socket, Bytes& input, std::uint8_t how, int memory) {
  fly_welcome welcome{};
  welcome.magic = FLY_MAGIC;
  welcome.kind = FLY_WELCOME;
  welcome.version = FLYBALL_INTERFACE;
  welcome.shared_bytes = FLYBALL_SHARED_BYTES;
  welcome.ring_jobs = FLYBALL_RING_JOBS;
  welcome.features = 0xff;
  if (how % 3 == 0) input.take(reinterpret_cast<char*>(&welcome) + 12, sizeof welcome - 12);
  if (how % 11 == 0) input.take(&welcome, 12);
  iovec part{&welcome, how % 17 == 0 ? how % sizeof welcome : sizeof welcome};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (memory >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &memory, sizeof memory);
  }
  sendmsg(socket, &message, MSG_NOSIGNAL);
}

flyball_session* described_session() {
  static const char* const models[] = {"small", "medium", "large"};
  const flyball_knob knob{"model", "", models, 3};
  const flyball_monitor monitor{"heat", "", FLYBALL_NEITHER, 0, 0, 0};
  flyball_application app{};
  app.name = "fuzz";
  app.knobs = &knob;
  app.knob_count = 1;
  app.monitors = &monitor;
  app.monitor_count = 1;
  auto* const session = static_cast<flyball_session*>(
      std::aligned_alloc(64, (sizeof(flyball_session) + 63) / 64 * 64));
  if (session == nullptr) std::abort();
  std::memset(session, 0, sizeof *session);
  if (fly_describe(&app, session) != 0) broken("an application is taken", flyball_why());
  session->socket = -1;
  fly_find_cpus(session->free_cpus);
  fly_default_setting(session);
  fly_register(session);
  return session;
}

/// A call of the application's. No setting makes it an unlawful one.
void call(flyball_session* s, std::uint8_t which) {
  flyball_effect effect;
  const double heat = 40;
  const std::int32_t self = getpid();
  flyball_requirements required{};
  required.deadline_ns = which;
  switch (which % 12) {
    case 0:
      flyball_now(s);
      break;
    case 1:
      flyball_wait(s, 0);
      break;
    case 2:
      flyball_begin(s, 0);
      break;
    case 3:
      flyball_end_with(s, &heat, 1);
      break;
    case 4:
      flyball_drop(s);
      break;
    case 5:
      flyball_session_effect(s, &effect);
      break;
    case 6:
      flyball_session_report_actual(s, 1000);
      break;
    case 7:
      flyball_require(s, &required);
      break;
    case 8:
      flyball_session_set_threads(s, &self, 1);
      break;
    case 9:
      flyball_session_notify_spike(s, 1, which > 128, "fuzz");
      break;
    case 10:
      flyball_supports(s, static_cast<flyball_feature>(which % 16));
      break;
    default:
      flyball_connected(s);
  }
}

}  // namespace

void play_library(Bytes& input) {
  static const bool quiet = setenv("FLYBALL_QUIET", "1", 1) == 0 &&
                            setenv("FLYBALL_SOCKET", "/nonexistent/app.sock", 1) == 0;
  if (!quiet) return;
  flyball_session* const session = described_session();
  for (int governor = 0; governor < 3 && input.left() > 0; ++governor) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) break;
    std::uint8_t how = 0;
    input.take(&how, 1);
    const int memory = memory_of(input, how);
    if (session->socket >= 0) close(session->socket);
    session->socket = ends[0];
    session->welcomed = 0;
    session->hello_ns = fly_now_ns();
    send_welcome(ends[1], input, how, how % 19 == 0 ? -1 : memory);
    fly_attend(session, session->hello_ns, 0);
    void* const at =
        mmap(nullptr, FLYBALL_SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    const bool shared = at != MAP_FAILED && session->welcomed != 0;
    for (int step = 0; step < 48 && input.left() > 0; ++step) {
      std::uint8_t what = 0;
      input.take(&what, 1);
      if (shared && what % 3 == 0) {
        auto* const to = static_cast<char*>(at);
        std::uint16_t where = 0;
        input.take(&where, sizeof where);
        // The head of the memory, where all but jobs is, more often than the rest.
        const std::size_t room = what % 2 == 0 ? 1024 : FLYBALL_SHARED_BYTES - 256;
        input.take(to + where % room, 1 + where / 7 % 128);
      } else if (shared && what % 3 == 1) {  // a whole setting, as good as the input makes it
        auto* const to = &static_cast<fly_shared*>(at)->settings;
        flyball_setting setting{};
        setting.number = what;
        input.take(&setting, what % 4 == 0 ? sizeof setting : 24);
        std::memcpy(to->word, &setting, sizeof setting);
        to->sequence = (to->sequence + 2) & ~1u;
      } else {
        call(session, what / 3);
      }
    }
    if (at != MAP_FAILED) munmap(at, FLYBALL_SHARED_BYTES);
    if (memory >= 0) close(memory);
    close(ends[1]);
  }
  flyball_close(session);
}

}  // namespace flyball::fuzz
