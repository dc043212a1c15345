#pragma once

#include <map>
#include <string>
#include <utility>

namespace flyball {

/// Of operating points: (unit, kHz) -> mV.
using Voltages = std::map<std::pair<std::string, long>, double>;

/// Reads what freqbench calls a voltage file: CPU.KHZ=UV, separated by blanks or line ends; '#'
/// begins a comment. CPU is a unit of the tables. Throws Error (kInput) with file and line.
Voltages read_voltages(const std::string& path);

}  // namespace flyball
