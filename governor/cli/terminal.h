#pragma once

#include <string>
#include <string_view>

namespace flyball::cli {

/// What a file descriptor leads to, as far as printing is concerned.
struct Terminal {
  bool is_tty = false;
  bool colour = false;   ///< a terminal, and neither NO_COLOR nor TERM=dumb says otherwise
  bool unicode = false;  ///< the locale encodes in UTF-8
  int columns = 160;     ///< of the terminal; $COLUMNS or 160 otherwise
  int rows = 24;

  static Terminal of(int descriptor);
};

/// Columns that a UTF-8 text takes: its code points, escape sequences not counted. Enough for what
/// we print.
int display_width(std::string_view text);
/// Cut to at most `columns`, escape sequences kept.
std::string cut_to(std::string_view text, int columns);

/// A paragraph broken between words into lines of at most `columns`, each ended, all but the first
/// indented. A longer word has a line to itself.
std::string wrapped(std::string_view text, int columns, int indent = 0);

/// Writes results to standard output, all of it. When that fails, what follows goes nowhere: the
/// work, and the files that it makes, do not depend on who listens.
void write_result(std::string_view text);
/// Whether one was refused: whoever goes on without an end stops then.
bool result_refused();
/// At the end: throws Error (kFailure) when a result was refused. A reader that has gone (`| head`)
/// has what it wanted.
void check_results_written();
/// Messages on the way, to standard error. Failures are ignored: there is nowhere to report them.
void write_note(std::string_view text);
/// The same of whoever must not wait, having clocks to give back: what standard error does not take at once
/// (a pipe that nobody reads, a terminal that was stopped) is dropped.
void offer_note(std::string_view text);

}  // namespace flyball::cli
