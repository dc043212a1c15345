#include "governor/supervisor/stored_value.h"

#include <algorithm>
#include <cstring>

#include "kernels/base/crc32c.h"

namespace flyball {
namespace {

/// Between two parts of an object, which have nothing but bytes between them.
std::uint32_t checksum_between(const void* begin, const void* end) noexcept {
  const auto* first = static_cast<const char*>(begin);
  return crc32c(first, static_cast<std::size_t>(static_cast<const char*>(end) - first));
}

/// A store that no compiler moves: it ends what this process has written of a value. Another process
/// that reads after our death needs no more.
void store_last(std::uint32_t& word, std::uint32_t number) noexcept {
  std::atomic_ref(word).store(number, std::memory_order_seq_cst);
}

}  // namespace

std::uint32_t value_checksum(const StoredValue& value) noexcept {
  return checksum_between(&value.size, &value + 1);
}

bool is_setting_text(std::string_view text, std::size_t capacity) noexcept {
  return text.size() <= capacity &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

void clear(StoredValue& value) noexcept {
  // Zeros have another checksum than 0.
  store_last(value.checksum, 0);
  std::memset(&value, 0, sizeof value);
}

void store(StoredValue& value, std::string_view text, std::uint64_t sequence) noexcept {
  clear(value);
  value.size = static_cast<std::uint16_t>(text.size());
  value.sequence = sequence;
  std::copy(text.begin(), text.end(), value.text);
  store_last(value.checksum, value_checksum(value));
}

bool is_whole(const StoredValue& value) noexcept {
  return value.checksum == value_checksum(value) && value.size <= sizeof value.text &&
         is_setting_text(text_of(value), sizeof value.text);
}

std::uint32_t entry_checksum(const SettingEntry& entry) noexcept {
  return checksum_between(&entry.kind, &entry.before);
}

std::uint32_t header_checksum(const SettingsHeader& header) noexcept {
  return checksum_between(&header.entry_bytes, &header.supervisor);
}

std::uint32_t supervisor_checksum(const SupervisorIdentity& supervisor) noexcept {
  return checksum_between(&supervisor.reserved, &supervisor + 1);
}

}  // namespace flyball
