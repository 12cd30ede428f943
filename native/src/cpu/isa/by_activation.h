// A path's functions for the network's activation.
#pragma once

#include "cpu/isa/paths.h"

namespace rs::cpu::RS_ISA {

template <template <rs_activation> class Path>
void ByActivation<Path>::gradient(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* gradient) {
  with_activation(pass.network, [&](auto a) { Path<decltype(a)::value>::gradient(pass, rows, count, workspace, gradient); });
}

template <template <rs_activation> class Path>
double ByActivation<Path>::loss(const Pass& pass, const Rows& rows, int64_t count, float* workspace) {
  return with_activation(pass.network, [&](auto a) { return Path<decltype(a)::value>::loss(pass, rows, count, workspace); });
}

template <template <rs_activation> class Path>
void ByActivation<Path>::predict(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* y) {
  with_activation(pass.network, [&](auto a) { Path<decltype(a)::value>::predict(pass, rows, count, workspace, y); });
}

}  // namespace rs::cpu::RS_ISA
