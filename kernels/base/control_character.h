#pragma once

#include <string>
#include <string_view>

namespace flyball {

/// `text` as one line that a terminal shows and never obeys. What it might obey (the control
/// characters C0, DEL and C1, line and paragraph separators, what turns the direction of text, and
/// bytes that are not UTF-8, which another encoding may take for those) becomes '?'; line ends and
/// tabs become blanks. Text of a file, which may be a stranger's,
/// passes through here when it is read.
std::string printable(std::string_view text);

}  // namespace flyball
