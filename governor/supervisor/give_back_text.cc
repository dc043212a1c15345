#include <system_error>

#include "governor/supervisor/give_back.h"
#include "governor/supervisor/give_back_lane.h"
#include "kernels/base/control_character.h"

namespace flyball {
namespace {

std::string quoted(const std::string& value) {
  std::string text = "'";
  text += printable(value);
  text += '\'';
  return text;
}

std::string what_became(const SettingResult& setting) {
  switch (setting.outcome) {
    case Returned::kGivenBack:
      return setting.found == setting.before || setting.found.empty()
                 ? "given back: " + quoted(setting.before)
                 : "given back: " + quoted(setting.before) + ", of which the machine makes " +
                       quoted(setting.found);
    case Returned::kWasBack:
      return "is as it was: " + quoted(setting.before);
    case Returned::kLeft:
      return "left at " + quoted(setting.found) + ": somebody else has changed it since";
    case Returned::kGone:
      return "is no more";
    case Returned::kRefused:
      return "cannot be given back: " + std::generic_category().message(setting.error) +
             "; it should be " + quoted(setting.before);
    case Returned::kIgnored:
      return "reads " + quoted(setting.found) + " though a write was accepted; it should be " +
             quoted(setting.before);
    case Returned::kHung:
      return "the machine does not answer; it should be " + quoted(setting.before);
    case Returned::kDamaged:
      break;
  }
  return "is torn, so that nothing is known of it; look at the frequency settings by hand";
}

}  // namespace

const char* name_of(Returned outcome) {
  switch (outcome) {
    case Returned::kGivenBack:
      return "given_back";
    case Returned::kWasBack:
      return "was_back";
    case Returned::kLeft:
      return "left_to_others";
    case Returned::kGone:
      return "gone";
    case Returned::kRefused:
      return "refused";
    case Returned::kIgnored:
      return "ignored";
    case Returned::kHung:
      return "hung";
    case Returned::kDamaged:
      break;
  }
  return "damaged";
}

std::string line_of(const SettingResult& setting) {
  std::string line = printable(setting.name) + ": " + what_became(setting);
  if (!setting.before_is_certain && setting.outcome == Returned::kGivenBack) {
    line += " (the hardware's bound: heat hid the limit that was set)";
  }
  return line;
}

std::string GiveBackResult::sum() const {
  if (settings.empty()) return "no setting was changed";
  std::string text =
      std::to_string(settings.size()) + (settings.size() == 1 ? " setting" : " settings");
  const char* separator = ": ";
  const auto add = [&](int number, const char* what) {
    if (number == 0) return;
    text += separator + std::to_string(number) + what;
    separator = ", ";
  };
  add(count(Returned::kGivenBack), " given back");
  add(count(Returned::kWasBack), " as before");
  add(count(Returned::kLeft), " left to others");
  add(count(Returned::kGone), " gone");
  add(missing(), " missing");
  return text;
}

std::string report_text(const GiveBackResult& result) {
  std::string text;
  for (const SettingResult& setting : result.settings) {
    if (setting.outcome != Returned::kWasBack) text += line_of(setting) + "\n";
  }
  return text;
}

}  // namespace flyball
