#include "cpu/isa/batch_path.h"

#include "cpu/isa/paths.h"

namespace rs::cpu::RS_ISA {

int64_t batch_workspace_length(const NetworkView& n) { return BatchWorkspace(n, nullptr).length; }

void block_gradient(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* gradient) {
  with_activation(pass.network, [&](auto a) {
    BatchPath<decltype(a)::value>::gradient(pass, rows, count, workspace, gradient);
  });
}

double block_loss(const Pass& pass, const Rows& rows, int64_t count, float* workspace) {
  return with_activation(pass.network, [&](auto a) {
    return BatchPath<decltype(a)::value>::loss(pass, rows, count, workspace);
  });
}

void block_predict(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* y) {
  with_activation(pass.network, [&](auto a) {
    BatchPath<decltype(a)::value>::predict(pass, rows, count, workspace, y);
  });
}

}  // namespace rs::cpu::RS_ISA
