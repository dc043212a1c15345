#pragma once

#include <string>
#include <string_view>

namespace flyball::cli {

/// What a figure beside the metrics is, that a comparison makes of them: "p_holm", "cvar10"; empty where
/// there is none of that name.
std::string explained_statistic(std::string_view key);
/// Their names, separated by commas.
std::string statistic_names();

}  // namespace flyball::cli
