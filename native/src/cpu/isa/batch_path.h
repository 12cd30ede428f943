// Forward and backward over a block of rows, vectors across rows: any network, tile by tile.
#pragma once

#include "cpu/isa/dropout.h"
#include "cpu/isa/find_rows.h"
#include "cpu/isa/load_rows.h"
#include "cpu/isa/loss.h"
#include "cpu/isa/matmul.h"
#include "cpu/isa/one_hidden_layer.h"

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
  float* weights;      // [stride], of the samples
  float* loss;         // [outputs][16]
  float* weight_sum;   // [16]
  float* lanes;        // [parameters, up to a multiple of 16][16], where they are kept
  float* undropped;    // hidden units' activations before dropout: [hidden units][stride]
  float* kept;         // what dropout multiplied them by, likewise
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
    weights = take(stride);
    loss = take(outputs * kLanes);
    weight_sum = take(kLanes);
    lanes = take(keeps_lanes(n) ? padded_parameters(n) * kLanes : 0);
    const int64_t hidden = n.dropout ? features - outputs - n.layers[0].in : 0;
    undropped = take(hidden * stride);
    kept = take(hidden * stride);
    length = next - memory;
  }

  static int64_t padded_parameters(const NetworkView& n) { return (n.parameter_count + kLanes - 1) / kLanes * kLanes; }
};

template <rs_activation A>
struct BatchPath {
  // A tile's rows, up to a multiple of 16.
  static int padded(int count) { return (count + kLanes - 1) / kLanes * kLanes; }

  enum Hidden { kKeepHidden, kDropHidden };  // whether the activations of hidden units are needed once they have served

  // Loads x and runs all layers; returns the outputs' activations. `first` is the tile's first row in `rows`.
  static float* forward_tile(
      const Pass& pass, const Rows& rows, int64_t first, const int64_t* index, int count, Hidden keep, Ahead& ahead,
      BatchWorkspace& w) {
    const NetworkView& n = pass.network;
    float* a = w.activations;
    int64_t group = 0;  // of the layer's first units, for dropout
    load_columns(rows.x, n.layers[0].in, index, !rows.shuffle, count, w.stride, a);
    if (is_one_hidden_layer(pass)) {
      float* h = a + n.layers[0].in * w.stride;
      float* out = h + static_cast<int64_t>(n.layers[0].out) * w.stride;
      forward_one_hidden_layer<A>(pass, a, w.stride, padded(count), ahead, keep == kKeepHidden ? h : nullptr, out);
      return out;
    }
    for (int l = 0; l < n.count; ++l) {
      const Layer& layer = n.layers[l];
      float* h = a + static_cast<int64_t>(layer.in) * w.stride;
      const auto run = l + 1 < n.count ? &forward<A> : &forward<RS_IDENTITY>;
      run(pass.parameters + layer.weight, pass.parameters + layer.bias, layer.in, layer.out, a, w.stride, padded(count), ahead,
          h);
      if (pass.dropout && l + 1 < n.count) {
        drop(*pass.dropout, group, rows.first + first - pass.dropout->first, layer.out, padded(count), h, w,
             hidden_place(pass, h, w));
        group += dropout_groups(layer.out);
      }
      a = h;
    }
    return a;
  }

  // Where a hidden layer whose activations are at h has its place among all hidden units.
  static int64_t hidden_place(const Pass& pass, const float* h, const BatchWorkspace& w) {
    return h - w.activations - static_cast<int64_t>(pass.network.layers[0].in) * w.stride;
  }

  static void drop(const Dropout& dropout, int64_t group, int64_t row, int units, int count, float* h, BatchWorkspace& w,
                   int64_t place) {
    float* kept = w.kept + place;
    float* undropped = w.undropped + place;
    for (int j = 0; j < units; j += 4, ++group) {
      dropout_factors(dropout, group, row, units - j < 4 ? units - j : 4, count, w.stride, kept + j * w.stride);
    }
    for (int j = 0; j < units; ++j) {
      for (int s = 0; s < count; s += kLanes) {
        const int at = j * w.stride + s;
        const f16 a = load(h + at);
        store(undropped + at, a);
        store(h + at, a * load(kept + at));
      }
    }
  }

  // dz of a dropped layer, in place of the derivatives by what was left of its activations.
  static void undrop(int units, int count, float* dz, const BatchWorkspace& w, int64_t place) {
    for (int j = 0; j < units; ++j) {
      for (int s = 0; s < count; s += kLanes) {
        const int at = j * w.stride + s;
        const f16 d = load(dz + at) * load(w.kept + place + at);
        store(dz + at, activation_gradient<A>(d, load(w.undropped + place + at)));
      }
    }
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
  static void backward_layers(const Pass& pass, float* dz, int count, Ahead& ahead, const BatchWorkspace& w, const Sums& sums) {
    const NetworkView& n = pass.network;
    for (int l = n.count - 1; l >= 0; --l) {
      const Layer& layer = n.layers[l];
      float* a = dz - static_cast<int64_t>(layer.in) * w.stride;
      backward_weights(dz, a, layer.in, layer.out, w.stride, padded(count), layer.weight, layer.bias, ahead, sums);
      if (l > 0) {
        const auto run = pass.dropout ? &backward_inputs<RS_IDENTITY> : &backward_inputs<A>;
        run(pass.parameters + layer.weight, layer.in, layer.out, dz, w.stride, padded(count), ahead, a);
        if (pass.dropout) undrop(layer.in, padded(count), a, w, hidden_place(pass, a, w));
      }
      dz = a;
    }
  }

  static void backward_tile(const Pass& pass, float* dz, int count, Ahead& ahead, const BatchWorkspace& w, Totals sums) {
    backward_layers(pass, dz, count, ahead, w, sums);
  }

  static void backward_tile(const Pass& pass, float* dz, int count, Ahead& ahead, const BatchWorkspace& w, Lanes sums) {
    if constexpr (kParts == 1) {
      if (is_one_hidden_layer(pass)) {
        const int in = pass.network.layers[0].in;
        with_size<kMostInputs>(in, [&](auto inputs) {
          backward_one_hidden_layer<A, decltype(inputs)::value>(
              pass, dz, w.activations, w.activations + in * w.stride, w.stride, padded(count), ahead, sums);
        });
        return;
      }
    }
    backward_layers(pass, dz, count, ahead, w, sums);
  }

  // f(first, size, index, ahead) for each tile of the block; `ahead` brings the rows of the next one, `share` at a time.
  template <typename F>
  static void for_tiles(const Pass& pass, const Rows& rows, int64_t count, int share, F f) {
    int64_t index[2][kTileRows];
    const auto size_at = [&](int64_t first) { return count - first < kTileRows ? static_cast<int>(count - first) : kTileRows; };
    find_rows(rows, 0, size_at(0), index[0]);
    int current = 0;
    for (int64_t first = 0; first < count; first += kTileRows, current ^= 1) {
      const int64_t next = first + kTileRows;
      const int next_size = next < count ? size_at(next) : 0;
      if (next_size > 0) find_rows(rows, next, next_size, index[current ^ 1]);
      Ahead ahead = {rows.x, pass.network.layers[0].in, index[current ^ 1], next_size, share, !rows.shuffle, 0};
      f(first, size_at(first), index[current], ahead);
      ahead.rest();
    }
  }

  // About as many shares as there are calls to take them, in a small network.
  static constexpr int kForwardShare = 48, kTrainShare = 16;

  static float weighted_loss(const Pass& pass, int width, const BatchWorkspace& w) {
    float loss = 0;
    for (int o = 0; o < width; ++o) loss += pass.loss_weights[o] * sum(load(w.loss + o * kLanes));
    return loss;
  }

  static void clear(float* values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) values[i] = 0;
  }

  // The losses of a tile into w.loss, their derivatives in place of the outputs.
  static void losses(const Pass& pass, const Rows& rows, const int64_t* index, float* outputs, int width, int count,
                     BatchWorkspace& w) {
    const int targets = target_width(pass.loss.kind, width);
    load_columns(rows.y, targets, index, !rows.shuffle, count, w.stride, w.targets);
    if (is_plain_mse(pass)) return errors(outputs, width, count, w);
    if (pass.sample_weights) {
      load_columns(pass.sample_weights, 1, index, !rows.shuffle, count, w.stride, w.weights);
      for (int s = 0; s < count; s += kLanes) store(w.weight_sum, load(w.weight_sum) + load(w.weights + s));
    }
    tile_losses(pass.loss, outputs, w.targets, pass.sample_weights ? w.weights : nullptr, width, count, w.stride, w.loss);
  }

  static void clear_sums(int width, BatchWorkspace& w) {
    clear(w.loss, static_cast<int64_t>(width) * kLanes);
    clear(w.weight_sum, kLanes);
  }

  // sums_of(whether it is the first) gives each tile where its sums go.
  template <typename SumsOf>
  static float accumulate(const Pass& pass, const Rows& rows, int64_t count, BatchWorkspace& w, const SumsOf& sums_of) {
    const int width = pass.network.layers[pass.network.count - 1].out;
    clear_sums(width, w);
    for_tiles(pass, rows, count, kTrainShare, [&](int64_t first, int size, const int64_t* index, Ahead& ahead) {
      float* outputs = forward_tile(pass, rows, first, index, size, kKeepHidden, ahead, w);
      losses(pass, rows, index, outputs, width, size, w);
      backward_tile(pass, outputs, size, ahead, w, sums_of(first == 0));
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
    gradient[parameters + 1] = sum(load(w.weight_sum));
  }

  static double loss(const Pass& pass, const Rows& rows, int64_t count, float* workspace) {
    const int width = pass.network.layers[pass.network.count - 1].out;
    BatchWorkspace w(pass.network, workspace);
    clear_sums(width, w);
    for_tiles(pass, rows, count, kForwardShare, [&](int64_t first, int size, const int64_t* index, Ahead& ahead) {
      float* outputs = forward_tile(pass, rows, first, index, size, kDropHidden, ahead, w);
      losses(pass, rows, index, outputs, width, size, w);
    });
    return weighted_loss(pass, width, w);
  }

  static void write_column(const float* column, int count, float* y) {
    int s = 0;
    for (; s + kLanes <= count; s += kLanes) store(y + s, load(column + s));
    if (s < count) store_first(y + s, count - s, load(column + s));
  }

  static void predict(const Pass& pass, const Rows& rows, int64_t count, float* workspace, float* y) {
    const int width = pass.network.layers[pass.network.count - 1].out;
    BatchWorkspace w(pass.network, workspace);
    for_tiles(pass, rows, count, kForwardShare, [&](int64_t first, int size, const int64_t* index, Ahead& ahead) {
      const float* outputs = forward_tile(pass, rows, first, index, size, kDropHidden, ahead, w);
      if (width == 1) return write_column(outputs, size, y + first);
      for (int s = 0; s < size; ++s) {
        for (int o = 0; o < width; ++o) y[(first + s) * width + o] = outputs[o * w.stride + s];
      }
    });
  }
};

}  // namespace rs::cpu::RS_ISA
