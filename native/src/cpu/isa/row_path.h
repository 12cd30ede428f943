// Forward and backward for a few rows, one after the other, vectors across units: any network.
//
// A dot product has a chain of additions for each of 16 lanes and then adds the lanes (simd.h, sum).
// small_sgd.h does the same sums in the same order.
#pragma once

#include "cpu/isa/activation.h"
#include "cpu/isa/dropout.h"
#include "cpu/isa/find_rows.h"
#include "cpu/isa/load_rows.h"
#include "cpu/isa/loss.h"
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
  float* outputs;      // as the losses take them (loss.h): [outputs][16]
  float* targets;      // [outputs][16]
  float* loss;         // [outputs][16]
  float* undropped;    // hidden units' activations before dropout, as they lie in `activations`
  float* kept;         // what dropout multiplied them by, likewise
  int64_t length;

  RowWorkspace(const NetworkView& n, float* memory) : activations(memory) {
    int64_t units = 0;
    for (int l = 0; l < n.count; ++l) units += padded_width(n.layers[l].out);
    dz = activations + units;
    previous_dz = dz + padded_width(n.widest);
    const int64_t columns = static_cast<int64_t>(n.layers[n.count - 1].out) * kLanes;
    outputs = previous_dz + padded_width(n.widest);
    targets = outputs + columns;
    loss = targets + columns;
    undropped = loss + columns;
    kept = undropped + (n.dropout ? units : 0);
    length = kept + (n.dropout ? units : 0) - memory;
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

  static void drop(const Dropout& dropout, int64_t group, int64_t row, int units, float* h, RowWorkspace& w) {
    float* kept = w.kept + (h - w.activations);
    float* undropped = w.undropped + (h - w.activations);
    for (int j = 0; j < units; j += 4, ++group) {
      dropout_factors_of_row(dropout, group, row, units - j < 4 ? units - j : 4, kept + j);
    }
    for_vectors(units, [&](int j, int lanes) {
      const f16 a = load_some(h + j, lanes);
      store_some(undropped + j, lanes, a);
      store_some(h + j, lanes, a * load_some(kept + j, lanes));
    });
  }

  // Returns the outputs. `row` is the row's number in the batch.
  static float* forward_row(const Pass& pass, const float* x, int64_t row, RowWorkspace& w) {
    const NetworkView& n = pass.network;
    const float* a = x;
    float* h = w.activations;
    int64_t group = 0;  // of the layer's first units, for dropout
    for (int l = 0;; ++l) {
      const Layer& layer = n.layers[l];
      if (l + 1 == n.count) {
        forward_layer<RS_IDENTITY>(pass, layer, a, h);
        return h;
      }
      forward_layer<A>(pass, layer, a, h);
      if (pass.dropout) {
        drop(*pass.dropout, group, row, layer.out, h, w);
        group += dropout_groups(layer.out);
      }
      a = h;
      h += padded_width(layer.out);
    }
  }

  // As a tile of one row: the other lanes are not looked at.
  static float losses(const Pass& pass, const float* outputs, const float* y, float weight, int width, RowWorkspace& w) {
    const int targets = target_width(pass.loss.kind, width);
    alignas(64) float weights[kLanes] = {weight};
    for (int o = 0; o < width; ++o) {
      store(w.outputs + o * kLanes, set1(outputs[o]));
      store(w.loss + o * kLanes, zero());
    }
    for (int o = 0; o < targets; ++o) store(w.targets + o * kLanes, set1(y[o]));
    tile_losses(pass.loss, w.outputs, w.targets, pass.sample_weights ? weights : nullptr, width, 1, kLanes, w.loss);
    float loss = 0;
    for (int o = 0; o < width; ++o) {
      loss += pass.loss_weights[o] * w.loss[o * kLanes];
      w.dz[o] = w.outputs[o * kLanes];
    }
    return loss;
  }

  // The weighted loss; w.dz receives the derivatives by the outputs.
  static float errors(const Pass& pass, const float* outputs, const float* y, float weight, int width, RowWorkspace& w) {
    if (!is_plain_mse(pass)) return losses(pass, outputs, y, weight, width, w);
    float* dz = w.dz;
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

  static void backward_inputs(
      const Pass& pass, const Layer& layer, const float* dz, const float* a, float* da, const RowWorkspace& w) {
    const float* weight = pass.parameters + layer.weight;
    for_vectors(layer.in, [&](int i, int lanes) {
      f16 total = set1(dz[0]) * load_some(weight + i, lanes);
      for (int j = 1; j < layer.out; ++j) {
        total = fma(set1(dz[j]), load_some(weight + static_cast<int64_t>(j) * layer.in + i, lanes), total);
      }
      if (pass.dropout) {
        const int64_t place = a + i - w.activations;
        total = activation_gradient<A>(total * load_some(w.kept + place, lanes), load_some(w.undropped + place, lanes));
      } else {
        total = activation_gradient<A>(total, load_some(a + i, lanes));
      }
      store_some(da + i, lanes, total);
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
        backward_inputs(pass, layer, w.dz, a, w.previous_dz, w);
        float* other = w.dz;
        w.dz = w.previous_dz;
        w.previous_dz = other;
      }
      h = a;
    }
  }

  // f(number of the row, x, y, weight)
  template <typename F>
  static void for_rows(const Pass& pass, const Rows& rows, int64_t count, F f) {
    const int64_t in = pass.network.layers[0].in;
    const int64_t out = target_width(pass.loss.kind, pass.network.layers[pass.network.count - 1].out);
    for (int64_t r = 0; r < count; ++r) {
      int64_t index;
      find_rows(rows, r, 1, &index);
      f(r, rows.x + index * in, rows.y + index * out, pass.sample_weights ? pass.sample_weights[index] : 0.0f);
    }
  }

  static void gradient(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* gradient) {
    RowWorkspace w(pass.network, workspace);
    const int width = pass.network.layers[pass.network.count - 1].out;
    const int64_t in_batch = pass.dropout ? rows.first - pass.dropout->first : 0;
    float loss = 0, weights = 0;
    for_rows(pass, rows, count, [&](int64_t r, const float* x, const float* y, float weight) {
      float* outputs = forward_row(pass, x, in_batch + r, w);
      loss += errors(pass, outputs, y, weight, width, w);
      weights += weight;
      backward_row(pass, x, outputs, r == 0, w, gradient);
    });
    gradient[pass.network.parameter_count] = loss;
    gradient[pass.network.parameter_count + 1] = weights;
  }

  static double loss(const Pass& pass, const Rows& rows, int64_t count, float* workspace) {
    RowWorkspace w(pass.network, workspace);
    const int width = pass.network.layers[pass.network.count - 1].out;
    double loss = 0;
    for_rows(pass, rows, count, [&](int64_t r, const float* x, const float* y, float weight) {
      loss += errors(pass, forward_row(pass, x, r, w), y, weight, width, w);
    });
    return loss;
  }

  static void predict(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* y) {
    RowWorkspace w(pass.network, workspace);
    const int width = pass.network.layers[pass.network.count - 1].out;
    for_rows(pass, rows, count, [&](int64_t r, const float* x, const float*, float) {
      const float* outputs = forward_row(pass, x, r, w);
      for (int o = 0; o < width; ++o) y[r * width + o] = outputs[o];
    });
  }
};

}  // namespace rs::cpu::RS_ISA
