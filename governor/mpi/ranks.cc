#include "governor/mpi/ranks.h"

#include <fmt/format.h>
#include <mpi.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace flyball::mpi {
namespace {

/// MPI waits at full speed; the cores are for those that still work.
void wait_quietly(MPI_Request& request) {
  for (int done = 0; MPI_Test(&request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done == 0;)
    usleep(5000);
}
void send(const void* bytes, std::size_t count) {
  MPI_Request request;
  MPI_Isend(bytes, static_cast<int>(count), MPI_BYTE, 0, 0, MPI_COMM_WORLD, &request);
  wait_quietly(request);
}
void receive(void* bytes, std::size_t count, int from) {
  MPI_Request request;
  MPI_Irecv(bytes, static_cast<int>(count), MPI_BYTE, from, 0, MPI_COMM_WORLD, &request);
  wait_quietly(request);
}

constexpr std::size_t kPart = 1 << 26;  // counts are int
void send_text(const std::string& text) {
  const std::uint64_t bytes = text.size();
  send(&bytes, sizeof bytes);
  for (std::size_t at = 0; at < bytes; at += kPart)
    send(text.data() + at, std::min<std::size_t>(kPart, bytes - at));
}
std::string receive_text(int from) {
  std::uint64_t bytes = 0;
  receive(&bytes, sizeof bytes, from);
  std::string text(bytes, '\0');
  for (std::size_t at = 0; at < bytes; at += kPart)
    receive(text.data() + at, std::min<std::size_t>(kPart, bytes - at), from);
  return text;
}

}  // namespace

std::string Rank::name() const {
  char host[256] = "?";
  gethostname(host, sizeof host - 1);
  return fmt::format("rank {} on {}", index, host);
}

void complain(const std::string& line) { fmt::print(stderr, "flyball-mpi: {}\n", line); }

void wait_for_all() {
  MPI_Request request;
  MPI_Ibarrier(MPI_COMM_WORLD, &request);
  wait_quietly(request);
}

std::vector<Told> gather(const Rank& rank, const Told& mine) {
  if (rank.index > 0) {
    for (const std::string* text : {&mine.name, &mine.problem, &mine.bytes}) send_text(*text);
    send(&mine.exit_code, sizeof mine.exit_code);
    return {};
  }
  std::vector<Told> all = {mine};
  for (int from = 1; from < rank.count; ++from) {
    Told& one = all.emplace_back();
    for (std::string* text : {&one.name, &one.problem, &one.bytes}) *text = receive_text(from);
    receive(&one.exit_code, sizeof one.exit_code, from);
  }
  return all;
}

int agree(const Rank&, int said) {
  MPI_Request request;
  MPI_Ibcast(&said, 1, MPI_INT, 0, MPI_COMM_WORLD, &request);
  wait_quietly(request);
  return said;
}

std::string problem_of(const ChildEnd& end) {
  if (end.good()) return "";
  if (end.signal != 0)
    return fmt::format("it was killed by signal {} ({})", end.signal, strsignal(end.signal));
  std::string text = end.err.substr(0, end.err.find_last_not_of('\n') + 1);
  if (const std::size_t last = text.rfind('\n'); last != text.npos) text = text.substr(last + 1);
  if (text.starts_with("flyball: ")) text = text.substr(9);
  return text.empty() ? fmt::format("it ended with status {}", end.exit_code) : text;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

int judge(const std::vector<Told>& all, const std::function<std::string(int)>& part,
          const std::string& remedy) {
  const auto bad = [](const Told& one) { return !one.problem.empty(); };
  if (std::ranges::none_of(all, bad)) return 0;
  const bool same = std::ranges::all_of(all, [&](const Told& one) {
    return one.problem == all.front().problem && one.exit_code == kWrongUse;
  });
  if (same) {
    complain(all.front().problem);
    return kWrongUse;
  }
  for (std::size_t i = 0; i < all.size(); ++i)
    if (bad(all[i]))
      complain(fmt::format("{}: {} is missing: {}; {}", all[i].name, part(static_cast<int>(i)),
                           all[i].problem, remedy));
  return kFailed;
}

std::string take_value(Words& words, const std::string& option) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with(option + "=")) {
      const std::string value = words[i].substr(option.size() + 1);
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i));
      return value;
    }
    if (words[i] != option || i + 1 == words.size()) continue;
    const std::string value = words[i + 1];
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(i),
                words.begin() + static_cast<std::ptrdiff_t>(i) + 2);
    return value;
  }
  return "";
}

int threads_of(const Rank& rank) {
  cpu_set_t cpus;
  const int mine = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
  const bool bound = mine < static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  return std::max(1, bound ? mine : mine / rank.on_this_host);
}

std::string folder_for(const std::string& asked) {
  std::string folder = asked;
  if (folder.empty()) {
    folder = (std::filesystem::temp_directory_path() / "flyball-mpi-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error(folder + ": cannot be made");
    return folder;
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw std::runtime_error(fmt::format("--state {}: cannot be made: {}", asked, error.message()));
  return folder;
}

}  // namespace flyball::mpi
