#pragma once

#include <cstddef>

namespace flyball {

/// Most of the code of a program that has started is of the start (command line, files, libraries'
/// initialisation) and stays resident for nothing. This gives those pages back, and free pages of the
/// heap; what is still used is mapped again as it is reached, from the page cache: a fault of about a
/// microsecond each, once. For the thread that is about to begin what lasts. Nothing happens where
/// Linux does not tell of mappings. Returns how many bytes of code were offered.
std::size_t forget_code_of_the_start();

}  // namespace flyball
