#include "kernels/ops/operators.h"

namespace flyball {

const Operators& portable_operators() {
  static const Operators operators = [] {
    Operators same = reference_operators();
    same.name = "portable";
    return same;
  }();
  return operators;
}

}  // namespace flyball
