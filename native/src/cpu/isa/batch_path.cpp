#include "cpu/isa/batch_path.h"

#include "cpu/isa/by_activation.h"

namespace rs::cpu::RS_ISA {

template struct ByActivation<BatchPath>;

int64_t batch_workspace_length(const NetworkView& n) { return BatchWorkspace(n, nullptr).length; }

}  // namespace rs::cpu::RS_ISA
