// A machine profile, and its use on this machine's platform.

#include "env/model/platform_spec.h"
#include "governor/machine/machine_profile.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/yaml_mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flyball;
  static const PlatformSpec host = load_platform("host");
  return fuzz::read_input(data, size, [](const std::string& path) {
    const MachineProfile profile = read_profile(path);
    fuzz::check_printable(profile.mismatch(this_machine(), profile.checksum));
    AppProfile app = host.apps[0];
    profile.apply(app, 2);
  });
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return flyball::fuzz::mutate_yaml(data, size, max_size, seed);
}
