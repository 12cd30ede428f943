// Forward and backward over a block of rows, vectors across rows: any network, tile by tile.
#pragma once

#include "cpu/isa/load_rows.h"
#include "cpu/isa/matmul.h"

namespace rs::cpu::RS_ISA {

// Networks with fewer parameters keep a vector of partial sums for each (see Lanes).
constexpr int64_t kLanesParameters = 2048;

inline bool keeps_lanes(const NetworkView& n) { return n.parameter_count < kLanesParameters; }

// Scratch memory of one thread, cut into parts that all lie at multiples of 64 bytes.
struct BatchWorkspace {
  // From one feature to the next: more than the rows, so that features do not all fall on the same few
  // sets of the cache.
  static constexpr int stride = kTileRows + kLanes;

  float* activations;  // of the input, then of every layer, one after the other: [features][stride]
  float* targets;      // [outputs][stride]
  float* loss;         // [outputs][16]
  float* lanes;        // [parameters, up to a multiple of 16][16], where they are kept
  int64_t length;

  BatchWorkspace(const NetworkView& n, float* memory) {
    const int64_t outputs = n.layers[n.count - 1].out;
    int64_t features = n.layers[0].in;
    for (int l = 0; l < n.count; ++l) features += n.layers[l].out;
    float* next = memory;
    const auto take = [&](int64_t floats) {
      float* part = next;
      next += floats;
      return part;
    };
    activations = take(features * stride);
    targets = take(outputs * stride);
    loss = take(outputs * kLanes);
    lanes = take(keeps_lanes(n) ? padded_parameters(n) * kLanes : 0);
    length = next - memory;
  }

  static int64_t padded_parameters(const NetworkView& n) { return (n.parameter_count + kLanes - 1) / kLanes * kLanes; }
};

template <rs_activation A>
struct BatchPath {
  // A tile's rows, up to a multiple of 16.
  static int padded(int count) { return (count + kLanes - 1) / kLanes * kLanes; }

  // Loads x and runs all layers; returns the outputs' activations.
  static float* forward_tile(const Pass& pass, const Rows& rows, const int64_t* index, int count, BatchWorkspace& w) {
    const NetworkView& n = pass.network;
    float* a = w.activations;
    load_columns(rows.x, n.layers[0].in, index, !rows.shuffle, count, w.stride, a);
    for (int l = 0; l < n.count; ++l) {
      const Layer& layer = n.layers[l];
      float* h = a + static_cast<int64_t>(layer.in) * w.stride;
      const auto run = l + 1 < n.count ? &forward<A> : &forward<RS_IDENTITY>;
      run(pass.parameters + layer.weight, pass.parameters + layer.bias, layer.in, layer.out, a, w.stride, padded(count), h);
      a = h;
    }
    return a;
  }

  // Squared errors into w.loss; their derivatives in place of the outputs, 0 for rows past `count`.
  static void errors(float* outputs, int width, int count, BatchWorkspace& w) {
    for (int o = 0; o < width; ++o) {
      f16 loss = load(w.loss + o * kLanes);
      for (int s = 0; s < count; s += kLanes) {
        const int at = o * w.stride + s;
        f16 e = load(outputs + at) - load(w.targets + at);
        if (s + kLanes > count) {
          alignas(64) float lanes[kLanes];
          store(lanes, e);
          e = load_first(lanes, count - s);
        }
        loss = fma(e, e, loss);
        store(outputs + at, e + e);
      }
      store(w.loss + o * kLanes, loss);
    }
  }

  // From the last layer, whose dz are there, to the first. Each layer's dz take the place of its
  // activations once those have served.
  template <typename Sums>
  static void backward_tile(const Pass& pass, float* dz, int count, const BatchWorkspace& w, const Sums& sums) {
    const NetworkView& n = pass.network;
    for (int l = n.count - 1; l >= 0; --l) {
      const Layer& layer = n.layers[l];
      float* a = dz - static_cast<int64_t>(layer.in) * w.stride;
      backward_weights(dz, a, layer.in, layer.out, w.stride, padded(count), layer.weight, layer.bias, sums);
      if (l > 0) backward_inputs<A>(pass.parameters + layer.weight, layer.in, layer.out, dz, w.stride, padded(count), a);
      dz = a;
    }
  }

  // f(first, size, index) for each tile of the block. While it works on one, the rows of the next are
  // on their way into the cache.
  template <typename F>
  static void for_tiles(const Pass& pass, const Rows& rows, int64_t count, F f) {
    int64_t index[2][kTileRows];
    const auto size_at = [&](int64_t first) { return count - first < kTileRows ? static_cast<int>(count - first) : kTileRows; };
    find_rows(rows, 0, size_at(0), index[0]);
    int current = 0;
    for (int64_t first = 0; first < count; first += kTileRows, current ^= 1) {
      const int64_t next = first + kTileRows;
      if (next < count) {
        find_rows(rows, next, size_at(next), index[current ^ 1]);
        prefetch(rows.x, pass.network.layers[0].in, index[current ^ 1], size_at(next));
      }
      f(first, size_at(first), index[current]);
    }
  }

  static void prefetch(const float* data, int width, const int64_t* index, int count) {
    for (int s = 0; s < count; ++s) __builtin_prefetch(data + index[s] * width);
  }

  static float weighted_loss(const Pass& pass, int width, const BatchWorkspace& w) {
    float loss = 0;
    for (int o = 0; o < width; ++o) loss += pass.loss_weights[o] * sum(load(w.loss + o * kLanes));
    return loss;
  }

  static void clear(float* values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) values[i] = 0;
  }

  // sums_of(whether it is the first) gives each tile where its sums go.
  template <typename SumsOf>
  static float accumulate(const Pass& pass, const Rows& rows, int64_t count, BatchWorkspace& w, const SumsOf& sums_of) {
    const int width = pass.network.layers[pass.network.count - 1].out;
    clear(w.loss, static_cast<int64_t>(width) * kLanes);
    for_tiles(pass, rows, count, [&](int64_t first, int size, const int64_t* index) {
      float* outputs = forward_tile(pass, rows, index, size, w);
      load_columns(rows.y, width, index, !rows.shuffle, size, w.stride, w.targets);
      errors(outputs, width, size, w);
      backward_tile(pass, outputs, size, w, sums_of(first == 0));
    });
    return weighted_loss(pass, width, w);
  }

  static void gradient(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* gradient) {
    const int64_t parameters = pass.network.parameter_count;
    BatchWorkspace w(pass.network, workspace);
    if (keeps_lanes(pass.network)) {
      const int64_t padded = BatchWorkspace::padded_parameters(pass.network);
      clear(w.lanes + parameters * kLanes, (padded - parameters) * kLanes);
      const float loss = accumulate(pass, rows, count, w, [&](bool first) { return Lanes{w.lanes, first}; });
      for (int64_t i = 0; i < padded; i += kLanes) sum_each(w.lanes + i * kLanes, gradient + i);
      clear(gradient + padded, gradient_length(parameters) - padded);
      gradient[parameters] = loss;
    } else {
      clear(gradient, gradient_length(parameters));
      gradient[parameters] = accumulate(pass, rows, count, w, [&](bool) { return Totals{gradient}; });
    }
  }

  static double loss(const Pass& pass, const Rows& rows, int64_t count, float* workspace) {
    const int width = pass.network.layers[pass.network.count - 1].out;
    BatchWorkspace w(pass.network, workspace);
    clear(w.loss, static_cast<int64_t>(width) * kLanes);
    for_tiles(pass, rows, count, [&](int64_t, int size, const int64_t* index) {
      float* outputs = forward_tile(pass, rows, index, size, w);
      load_columns(rows.y, width, index, !rows.shuffle, size, w.stride, w.targets);
      errors(outputs, width, size, w);
    });
    return weighted_loss(pass, width, w);
  }

  static void predict(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* y) {
    const int width = pass.network.layers[pass.network.count - 1].out;
    BatchWorkspace w(pass.network, workspace);
    for_tiles(pass, rows, count, [&](int64_t first, int size, const int64_t* index) {
      const float* outputs = forward_tile(pass, rows, index, size, w);
      for (int s = 0; s < size; ++s) {
        for (int o = 0; o < width; ++o) y[(first + s) * width + o] = outputs[o * w.stride + s];
      }
    });
  }
};

}  // namespace rs::cpu::RS_ISA
