#pragma once

namespace flyball {

/// Closes every descriptor of this process from `first` to `last`. System calls only, for between fork and
/// exec in a process of many threads.
void close_descriptors(unsigned first, unsigned last) noexcept;
/// The same where Linux has no close_range(2), which came with 5.9.
void close_one_by_one(unsigned first, unsigned last) noexcept;

}  // namespace flyball
