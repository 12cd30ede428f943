#include "cpu/isa/row_path.h"

#include "cpu/isa/paths.h"

namespace rs::cpu::RS_ISA {

int64_t row_workspace_length(const NetworkView& n) { return RowWorkspace(n, nullptr).length; }

void row_gradient(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* gradient) {
  with_activation(pass.network, [&](auto a) {
    RowPath<decltype(a)::value>::gradient(pass, rows, count, workspace, gradient);
  });
}

double row_loss(const Pass& pass, const Rows& rows, int64_t count, float* workspace) {
  return with_activation(pass.network, [&](auto a) {
    return RowPath<decltype(a)::value>::loss(pass, rows, count, workspace);
  });
}

void row_predict(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* y) {
  with_activation(pass.network, [&](auto a) {
    RowPath<decltype(a)::value>::predict(pass, rows, count, workspace, y);
  });
}

}  // namespace rs::cpu::RS_ISA
