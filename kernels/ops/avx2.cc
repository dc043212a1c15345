#include "kernels/ops/operators.h"

namespace flyball {}
