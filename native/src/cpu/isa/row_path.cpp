#include "cpu/isa/row_path.h"

#include "cpu/isa/by_activation.h"

namespace rs::cpu::RS_ISA {

template struct ByActivation<RowPath>;

int64_t row_workspace_length(const NetworkView& n) { return RowWorkspace(n, nullptr).length; }

}  // namespace rs::cpu::RS_ISA
