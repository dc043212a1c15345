#include "governor/cli/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

constexpr int kNarrowest =
    40;  // below this nothing we print can be laid out; the terminal wraps it

int g_result_error = 0;  // errno of the first write of a result that was refused

bool set_and_not_empty(const char* name) {
  const char* value = std::getenv(name);
  return value && *value;
}

bool locale_is_utf8() {
  static const bool utf8 = [] {
    // A locale object of our own: the program's stays "C", so that numbers keep their decimal
    // point.
    locale_t locale = newlocale(LC_CTYPE_MASK, "", nullptr);
    if (!locale) return false;
    const bool is = std::strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return is;
  }();
  return utf8;
}

/// Length of the escape sequence at the start of `text`; 0 when there is none.
std::size_t escape_length(std::string_view text) {
  if (text.size() < 2 || text[0] != '\033' || text[1] != '[') return 0;
  std::size_t length = 2;
  while (length < text.size() && (text[length] < '@' || text[length] > '~')) ++length;
  return std::min(length + 1, text.size());
}

bool continues_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

Terminal Terminal::of(int descriptor) {
  Terminal terminal;
  terminal.is_tty = isatty(descriptor) == 1;
  const char* term = std::getenv("TERM");
  const bool dumb = !term || std::strcmp(term, "dumb") == 0;
  terminal.colour = terminal.is_tty && !dumb && !set_and_not_empty("NO_COLOR");
  terminal.unicode = locale_is_utf8();
  winsize size{};
  if (terminal.is_tty && ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.columns = size.ws_col;
    terminal.rows = size.ws_row;
  } else if (const char* columns = std::getenv("COLUMNS")) {
    if (const int wanted = std::atoi(columns); wanted > 0) terminal.columns = wanted;
  }
  terminal.columns = std::max(terminal.columns, kNarrowest);
  if (dumb) terminal.is_tty = false;  // it cannot move its cursor: print as to a file
  return terminal;
}

int display_width(std::string_view text) {
  int width = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t escape = escape_length(text.substr(i))) {
      i += escape;
      continue;
    }
    if (!continues_code_point(text[i])) ++width;
    ++i;
  }
  return width;
}

std::string cut_to(std::string_view text, int columns) {
  std::string cut;
  int width = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t escape = escape_length(text.substr(i))) {
      cut += text.substr(i, escape);
      i += escape;
      continue;
    }
    std::size_t end = i + 1;
    while (end < text.size() && continues_code_point(text[end])) ++end;
    if (width < columns) cut += text.substr(i, end - i);
    ++width;
    i = end;
  }
  return cut;
}

std::string wrapped(std::string_view text, int columns, int indent) {
  std::string out, line;
  std::istringstream words{std::string(text)};
  bool first_word = true;
  for (std::string word; words >> word;) {
    if (!first_word && display_width(line) + 1 + display_width(word) > columns) {
      out += line + '\n';
      line.assign(static_cast<std::size_t>(indent), ' ');
      first_word = true;
    }
    if (!first_word) line += ' ';
    line += word;
    first_word = false;
  }
  return out + line + '\n';
}

void write_result(std::string_view text) {
  while (!text.empty() && g_result_error == 0) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // somebody else made the terminal non-blocking
      pollfd ready{STDOUT_FILENO, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      g_result_error = errno;
    }
  }
}

bool result_refused() { return g_result_error != 0; }

void check_results_written() {
  if (g_result_error == 0 || g_result_error == EPIPE) return;
  failure("standard output", std::strerror(g_result_error),
          "send it somewhere that can be written");
}

void write_note(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void offer_note(std::string_view text) {
  while (!text.empty()) {
    pollfd out{STDERR_FILENO, POLLOUT, 0};
    const int ready = poll(&out, 1, 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready != 1 || (out.revents & POLLOUT) == 0) return;
    // A pipe that takes anything takes so much.
    const ssize_t written =
        ::write(STDERR_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace flyball::cli
