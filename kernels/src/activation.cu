// The activation between two layers and its gradient, element by element.
#include "activation.h"

#include <algorithm>

#include "device/activation.h"
#include "simt.h"

namespace rs::gpu {

namespace {

constexpr int kThreads = 256;

template <rs_activation A>
__global__ void __launch_bounds__(kThreads) activation_forward_kernel(int64_t count, float* z) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) z[i] = activate<A>(z[i]);
}

template <rs_activation A>
__global__ void __launch_bounds__(kThreads)
    activation_backward_kernel(const float* __restrict__ dh, int64_t count, float* __restrict__ h) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    h[i] = activation_gradient<A>(dh[i], h[i]);
  }
}

// Enough threads to fill any GPU; each takes more than one element where there are more.
dim3 grid(int64_t count) { return dim3(static_cast<unsigned>(std::min<int64_t>((count + kThreads - 1) / kThreads, 4096))); }

template <rs_activation A>
void forward(int64_t count, float* z, cudaStream_t stream) {
  simt::launch(activation_forward_kernel<A>, grid(count), dim3(kThreads), 0, stream, count, z);
}

template <rs_activation A>
void backward(const float* dh, int64_t count, float* h, cudaStream_t stream) {
  simt::launch(activation_backward_kernel<A>, grid(count), dim3(kThreads), 0, stream, dh, count, h);
}

}  // namespace

void activation_forward(rs_activation activation, int64_t count, float* z, cudaStream_t stream) {
  if (count == 0) return;
  switch (activation) {
    case RS_IDENTITY: return;
    case RS_RELU: return forward<RS_RELU>(count, z, stream);
    case RS_TANH: return forward<RS_TANH>(count, z, stream);
    case RS_SIGMOID: return forward<RS_SIGMOID>(count, z, stream);
  }
}

void activation_backward(rs_activation activation, const float* dh, int64_t count, float* h, cudaStream_t stream) {
  if (count == 0) return;
  switch (activation) {
    case RS_IDENTITY: return backward<RS_IDENTITY>(dh, count, h, stream);
    case RS_RELU: return backward<RS_RELU>(dh, count, h, stream);
    case RS_TANH: return backward<RS_TANH>(dh, count, h, stream);
    case RS_SIGMOID: return backward<RS_SIGMOID>(dh, count, h, stream);
  }
}

}  // namespace rs::gpu
