// Forward and backward for a few rows, one after the other, vectors across units: any network.
//
// A dot product has a chain of additions for each of 16 lanes and then adds the lanes (simd.h, sum).
// small_sgd.h does the same sums in the same order.
#pragma once

#include "cpu/isa/activation.h"
#include "cpu/isa/load_rows.h"
#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

RS_INLINE int64_t padded_width(int64_t width) { return (width + kLanes - 1) / kLanes * kLanes; }

// f(offset, lanes) over `width` values, 16 at a time; the last call may have fewer lanes.
template <typename F>
RS_INLINE void for_vectors(int width, F f) {
  int i = 0;
  for (; i + kLanes <= width; i += kLanes) f(i, kLanes);
  if (i < width) f(i, width - i);
}

RS_INLINE f16 load_some(const float* p, int lanes) { return lanes == kLanes ? load(p) : load_first(p, lanes); }

RS_INLINE void store_some(float* p, int lanes, const f16& v) {
  if (lanes == kLanes) {
    store(p, v);
  } else {
    store_first(p, lanes, v);
  }
}

RS_INLINE float dot(const float* w, const float* a, int width) {
  f16 total = zero();
  bool first = true;
  for_vectors(width, [&](int i, int lanes) {
    const f16 x = load_some(w + i, lanes), y = load_some(a + i, lanes);
    total = first ? x * y : fma(x, y, total);
    first = false;
  });
  return sum(total);
}

struct RowWorkspace {
  float* activations;  // of every layer, one after the other, each padded to whole vectors
  float* dz;           // [widest], padded
  float* previous_dz;  // [widest], padded
  int64_t length;

  RowWorkspace(const NetworkView& n, float* memory) : activations(memory) {
    int64_t units = 0;
    for (int l = 0; l < n.count; ++l) units += padded_width(n.layers[l].out);
    dz = activations + units;
    previous_dz = dz + padded_width(n.widest);
    length = previous_dz + padded_width(n.widest) - memory;
  }
};

template <rs_activation A>
struct RowPath {
  template <rs_activation B>
  static void forward_layer(const Pass& pass, const Layer& layer, const float* a, float* h) {
    for (int j = 0; j < layer.out; ++j) {
      const float* w = pass.parameters + layer.weight + static_cast<int64_t>(j) * layer.in;
      h[j] = dot(w, a, layer.in) + pass.parameters[layer.bias + j];
    }
    for_vectors(layer.out, [&](int j, int lanes) { store_some(h + j, lanes, activate<B>(load_some(h + j, lanes))); });
  }

  // Returns the outputs.
  static float* forward_row(const Pass& pass, const float* x, RowWorkspace& w) {
    const NetworkView& n = pass.network;
    const float* a = x;
    float* h = w.activations;
    for (int l = 0;; ++l) {
      const Layer& layer = n.layers[l];
      if (l + 1 == n.count) {
        forward_layer<RS_IDENTITY>(pass, layer, a, h);
        return h;
      }
      forward_layer<A>(pass, layer, a, h);
      a = h;
      h += padded_width(layer.out);
    }
  }

  static float errors(const Pass& pass, const float* outputs, const float* y, int width, float* dz) {
    float loss = 0;
    for (int o = 0; o < width; ++o) {
      const float e = outputs[o] - y[o];
      loss += pass.loss_weights[o] * (e * e);
      dz[o] = e + e;
    }
    return loss;
  }

  // gradient[i] = d * a[i], or that much more.
  static void add_outer(float d, const float* a, int width, bool start, float* gradient) {
    for_vectors(width, [&](int i, int lanes) {
      const f16 x = load_some(a + i, lanes);
      const f16 g = start ? set1(d) * x : fma(set1(d), x, load_some(gradient + i, lanes));
      store_some(gradient + i, lanes, g);
    });
  }

  static void backward_inputs(const Pass& pass, const Layer& layer, const float* dz, const float* a, float* da) {
    const float* weight = pass.parameters + layer.weight;
    for_vectors(layer.in, [&](int i, int lanes) {
      f16 total = set1(dz[0]) * load_some(weight + i, lanes);
      for (int j = 1; j < layer.out; ++j) {
        total = fma(set1(dz[j]), load_some(weight + static_cast<int64_t>(j) * layer.in + i, lanes), total);
      }
      store_some(da + i, lanes, activation_gradient<A>(total, load_some(a + i, lanes)));
    });
  }

  static void backward_row(const Pass& pass, const float* x, float* outputs, bool start, RowWorkspace& w, float* gradient) {
    const NetworkView& n = pass.network;
    const float* h = outputs;
    for (int l = n.count - 1; l >= 0; --l) {
      const Layer& layer = n.layers[l];
      const float* a = l == 0 ? x : h - padded_width(layer.in);
      for (int j = 0; j < layer.out; ++j) {
        add_outer(w.dz[j], a, layer.in, start, gradient + layer.weight + static_cast<int64_t>(j) * layer.in);
        float* bias = gradient + layer.bias + j;
        *bias = start ? w.dz[j] : *bias + w.dz[j];
      }
      if (l > 0) {
        backward_inputs(pass, layer, w.dz, a, w.previous_dz);
        float* other = w.dz;
        w.dz = w.previous_dz;
        w.previous_dz = other;
      }
      h = a;
    }
  }

  template <typename F>
  static void for_rows(const Pass& pass, const Rows& rows, int64_t count, F f) {
    const int64_t in = pass.network.layers[0].in, out = pass.network.layers[pass.network.count - 1].out;
    for (int64_t r = 0; r < count; ++r) {
      int64_t index;
      find_rows(rows, r, 1, &index);
      f(r, rows.x + index * in, rows.y + index * out);
    }
  }

  static void gradient(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* gradient) {
    RowWorkspace w(pass.network, workspace);
    const int width = pass.network.layers[pass.network.count - 1].out;
    float loss = 0;
    for_rows(pass, rows, count, [&](int64_t r, const float* x, const float* y) {
      float* outputs = forward_row(pass, x, w);
      loss += errors(pass, outputs, y, width, w.dz);
      backward_row(pass, x, outputs, r == 0, w, gradient);
    });
    gradient[pass.network.parameter_count] = loss;
  }

  static double loss(const Pass& pass, const Rows& rows, int64_t count, float* workspace) {
    RowWorkspace w(pass.network, workspace);
    const int width = pass.network.layers[pass.network.count - 1].out;
    double loss = 0;
    for_rows(pass, rows, count, [&](int64_t, const float* x, const float* y) {
      loss += errors(pass, forward_row(pass, x, w), y, width, w.dz);
    });
    return loss;
  }

  static void predict(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* y) {
    RowWorkspace w(pass.network, workspace);
    const int width = pass.network.layers[pass.network.count - 1].out;
    for_rows(pass, rows, count, [&](int64_t r, const float* x, const float*) {
      const float* outputs = forward_row(pass, x, w);
      for (int o = 0; o < width; ++o) y[r * width + o] = outputs[o];
    });
  }
};

}  // namespace rs::cpu::RS_ISA
