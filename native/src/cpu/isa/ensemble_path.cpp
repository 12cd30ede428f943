#include "cpu/isa/ensemble_path.h"

#include "cpu/isa/paths.h"

namespace rs::cpu::RS_ISA {

int64_t lane_workspace_length(const NetworkView& n) { return EnsembleWorkspace(n, nullptr).length; }

void lane_steps(ModelLanes& lanes, const LaneTile& tile, float* workspace) {
  with_activation(lanes.network, [&](auto a) { EnsemblePath<decltype(a)::value>::steps(lanes, tile, workspace); });
}

}  // namespace rs::cpu::RS_ISA
