#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flyball {

// The text of tables of measurements: what is between their commas.

std::string_view without_blanks(std::string_view text);

/// Cells may be quoted, so that a name can have a comma in it.
std::vector<std::string> cells_of(std::string_view line, char separator);

/// Comma, semicolon or tab, as the line of headings has it.
char separator_of(std::string_view headings);

/// "Frequency (kHz)" becomes "frequency_khz".
std::string plain_heading(std::string_view heading);

/// Of a file's text in a message.
std::string shown_text(std::string_view text);

/// All of `text` as a number; false when it is none, or not finite.
bool to_number(std::string_view text, double& value);

}  // namespace flyball
