#pragma once

#include <string>

namespace flyball {

/// The line for the user when memory was refused: the limit of this process where it has one, since
/// that is met long before the machine is full.
std::string no_memory();

}  // namespace flyball
