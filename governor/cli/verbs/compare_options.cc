#include "governor/cli/verbs/compare_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "governor/cli/options.h"
#include "kernels/base/error.h"

namespace flyball::cli {

Shard parse_shard(const std::string& text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  const auto index = std::from_chars(text.data(), end, shard.index);
  const bool slash = index.ec == std::errc() && index.ptr != end && *index.ptr == '/';
  const auto count = std::from_chars(slash ? index.ptr + 1 : end, end, shard.count);
  if (!slash || count.ec != std::errc() || count.ptr != end || shard.index < 1 ||
      shard.index > shard.count || shard.count > 100'000)
    input_error("--shard " + text, "is not of the form I/N with I from 1 to N",
                "write for example --shard 1/4");
  return shard;
}

void places_option(CLI::App& parser, const std::string& flag, std::vector<std::string>& values,
                   const std::string& help, bool required) {
  parser
      .add_option_function<std::vector<std::string>>(
          flag,
          [flag, &values](const std::vector<std::string>& texts) {
            std::error_code ignored;
            for (const std::string& text : texts) {
              if (std::filesystem::is_regular_file(text, ignored)) {
                values.push_back(text);
                continue;
              }
              for (const std::string& name : split_names(flag, text)) values.push_back(name);
            }
            std::vector<std::string> sorted = values;
            std::ranges::sort(sorted);
            if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
              input_error(fmt::format("{} '{}'", flag, *twice), "is named twice", "name each once");
          },
          help)
      ->required(required)
      ->type_name("NAME|FILE[,...]")
      ->expected(1)
      ->take_all();
}

void files_option(CLI::App& parser, const std::string& flag, FilesByPolicy& files,
                  const std::string& help) {
  parser
      .add_option_function<std::vector<std::string>>(
          flag,
          [flag, &files](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) add_policy_file(flag, text, files);
          },
          help)
      ->type_name("NAME=FILE")
      ->expected(1)
      ->take_all();
}

}  // namespace flyball::cli
