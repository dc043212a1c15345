#pragma once

#include <string_view>

#include "governor/supervisor/settings_layout.h"

namespace flyball {

/// One line that a terminal may show: what settings are made of.
bool is_setting_text(std::string_view text, std::size_t capacity) noexcept;

/// The checksum comes last, and the old one goes first: a value that is half written is never taken
/// for a whole one.
void store(StoredValue& value, std::string_view text, std::uint64_t sequence) noexcept;
void clear(StoredValue& value) noexcept;
bool is_whole(const StoredValue& value) noexcept;
inline std::string_view text_of(const StoredValue& value) noexcept {
  return {value.text, value.size};
}

std::uint32_t value_checksum(const StoredValue& value) noexcept;
std::uint32_t entry_checksum(const SettingEntry& entry) noexcept;
std::uint32_t header_checksum(const SettingsHeader& header) noexcept;
std::uint32_t supervisor_checksum(const SupervisorIdentity& supervisor) noexcept;

}  // namespace flyball
