// Sixteen models of one shape side by side: lane = model.
//
// Parameters lie as [parameter][16 lanes], so no sum runs across lanes and no lane is padding. Each lane
// does the operations of the row path followed by the update, in the same order: a dot product has a
// chain for each of the row path's 16 lanes and adds them as simd.h's sum does. So a model has the bits
// that it has alone.
//
// Vectors here are registers (`vec`), not f16: on AVX2 and baseline a part of the lanes goes through a
// layer at a time, and the layer's inputs stay in registers.
#pragma once

#include "cpu/isa/activation.h"
#include "cpu/isa/load_rows.h"
#include "cpu/isa/matmul.h"
#include "cpu/isa/simd.h"
#include "cpu/kernels.h"

namespace rs::cpu::RS_ISA {

static_assert(kModelLanes == kLanes);

template <typename T>
RS_INLINE T* lanes_of(T* values, int64_t i, int part) {
  return values + i * kLanes + part * kPartLanes;
}

RS_INLINE ivec load_mask(const int32_t* lanes, int part) {
  typedef int32_t unaligned __attribute__((vector_size(64 / kParts), aligned(4), may_alias));
  return *reinterpret_cast<const unaligned*>(lanes + part * kPartLanes);
}

RS_INLINE vec select(ivec mask, vec a, vec b) { return mask ? a : b; }

// Terms First, First + Stride, ... of N, in the order of simd.h's sum over lanes.
template <int N, int First, int Stride>
RS_INLINE vec add_terms(const vec* terms) {
  if constexpr (Stride == kLanes) {
    return terms[First];
  } else if constexpr (First + Stride < N) {
    return add_terms<N, First, 2 * Stride>(terms) + add_terms<N, First + Stride, 2 * Stride>(terms);
  } else {
    return add_terms<N, First, 2 * Stride>(terms);
  }
}

// ---- optimizers: what update.h does, with settings of each lane ----

// A step's numbers of one part's lanes.
struct PlainRule {
  static constexpr bool kSimple = true;
  vec descent;

  RS_INLINE PlainRule(const ModelLanes& l, int part) : descent(-load_part(l.lr + part * kPartLanes)) {}

  // Adding 0 * p to the gradient, as update.h does without weight decay, changes no bit of the result.
  template <bool Masked>
  RS_INLINE vec apply(vec p, vec g, float*, float*, ivec) const {
    return fma_part(descent, g, p);
  }
};

struct SgdRule {
  static constexpr bool kSimple = false;
  vec descent, weight_decay, momentum;
  ivec keeps;  // lanes with momentum that have a buffer already
  ivec moves;  // lanes with momentum
  bool any_momentum, nesterov;

  RS_INLINE SgdRule(const ModelLanes& l, int part)
      : descent(-load_part(l.lr + part * kPartLanes)),
        weight_decay(load_part(l.weight_decay + part * kPartLanes)),
        momentum(load_part(l.momentum + part * kPartLanes)),
        keeps((momentum != vec{}) & ~load_mask(l.first, part)),
        moves(momentum != vec{}),
        any_momentum(l.any_momentum),
        nesterov(l.nesterov) {}

  template <bool Masked>
  RS_INLINE vec apply(vec p, vec g, float* m, float*, ivec alive) const {
    g = fma_part(weight_decay, p, g);
    if (any_momentum) {
      const vec old = load_part(m);
      const vec buffer = select(keeps, fma_part(momentum, old, g), g);
      store_part(m, Masked ? select(alive, buffer, old) : buffer);
      g = nesterov ? select(moves, fma_part(momentum, buffer, g), g) : buffer;
    }
    return fma_part(descent, g, p);
  }
};

template <bool Decoupled>
struct AdamRule {
  static constexpr bool kSimple = false;
  vec weight_decay, beta1_complement, beta2, beta2_complement, epsilon, root_correction, descent, decay;

  RS_INLINE AdamRule(const ModelLanes& l, int part)
      : weight_decay(load_part(l.weight_decay + part * kPartLanes)),
        beta1_complement(set1_part(static_cast<float>(1 - l.beta1))),
        beta2(set1_part(static_cast<float>(l.beta2))),
        beta2_complement(set1_part(static_cast<float>(1 - l.beta2))),
        epsilon(set1_part(static_cast<float>(l.eps))),
        root_correction(load_part(l.root_correction + part * kPartLanes)),
        descent(-load_part(l.step_size + part * kPartLanes)),
        decay(load_part(l.decay + part * kPartLanes)) {}

  template <bool Masked>
  RS_INLINE vec apply(vec p, vec g, float* m, float* v, ivec alive) const {
    if (!Decoupled) g = fma_part(weight_decay, p, g);
    const vec mean = load_part(m), square = load_part(v);
    const vec new_mean = fma_part(g - mean, beta1_complement, mean);
    const vec new_square = fma_part(g * g, beta2_complement, square * beta2);
    store_part(m, Masked ? select(alive, new_mean, mean) : new_mean);
    store_part(v, Masked ? select(alive, new_square, square) : new_square);
    const vec denominator = fma_part(sqrt_part(new_square), root_correction, epsilon);
    return fma_part(descent, new_mean / denominator, Decoupled ? p * decay : p);
  }
};

// Begins a step of Adam in every lane that trains (optimizer.cpp, next_update).
static void begin_adam_step(ModelLanes& l) {
  for (int k = 0; k < kLanes; ++k) {
    if (!l.alive[k]) continue;
    l.beta1_power[k] *= l.beta1;
    l.beta2_power[k] *= l.beta2;
    l.step_size[k] = static_cast<float>(l.exact_lr[k] / (1 - l.beta1_power[k]));
    l.root_correction[k] = static_cast<float>(1 / __builtin_sqrt(1 - l.beta2_power[k]));
    l.decay[k] = static_cast<float>(1 - l.exact_lr[k] * l.exact_weight_decay[k]);
  }
}

// ---- memory ----

// Scratch memory of one thread.
struct EnsembleWorkspace {
  float* x;            // [kRowPathRows][inputs][16]
  float* y;            // [kRowPathRows][outputs][16]
  float* activations;  // of every layer, one after the other: [units][16]
  float* dz;           // [widest][16]
  float* previous_dz;  // [widest][16]
  int64_t length;

  EnsembleWorkspace(const NetworkView& n, float* memory) {
    int64_t units = 0;
    for (int l = 0; l < n.count; ++l) units += n.layers[l].out;
    float* next = memory;
    const auto take = [&](int64_t values) {
      float* part = next;
      next += values * kLanes;
      return part;
    };
    x = take(int64_t{kRowPathRows} * n.layers[0].in);
    y = take(int64_t{kRowPathRows} * n.layers[n.count - 1].out);
    activations = take(units);
    dz = take(n.widest);
    previous_dz = take(n.widest);
    length = next - memory;
  }
};

// ---- parts that no activation touches ----

// Inputs of a layer that fit into the registers beside all else.
constexpr int kMostKeptInputs = kParts == 1 ? 16 : 10;

// N terms of a dot product at least: all of `in` where that is below 16.
template <int N>
RS_INLINE static vec dot(const float* w, const float* a, const vec (&x)[N], int in) {
  vec terms[N];
  unrolled<N>([&](auto i_) {
    constexpr int i = decltype(i_)::value;
    terms[i] = load_part(w + i * kLanes) * x[i];
  });
  if constexpr (N == kLanes) {
    for (int i = kLanes; i < in; i += kLanes) {
      unrolled<N>([&](auto k_) {
        constexpr int k = decltype(k_)::value;
        if (i + k < in) terms[k] = fma_part(load_part(w + (i + k) * kLanes), load_part(a + (i + k) * kLanes), terms[k]);
      });
    }
  }
  const vec total = add_terms<N, 0, 1>(terms);
  // The row path's lanes beyond a row's end add 0, which tells only where all else is -0.
  return in % kLanes == 0 ? total : total + vec{};
}

// The row's loss is added to `loss` in the lanes of `has_row`, which all have where that is null.
static void errors(const ModelLanes& l, const float* outputs, const float* y, const int32_t* has_row, float* dz, float* loss) {
  const int width = l.network.layers[l.network.count - 1].out;
  for (int part = 0; part < kParts; ++part) {
    vec row = {};
    for (int o = 0; o < width; ++o) {
      const vec e = load_part(lanes_of(outputs, o, part)) - load_part(lanes_of(y, o, part));
      row = row + load_part(lanes_of(l.loss_weights, o, part)) * (e * e);
      store_part(lanes_of(dz, o, part), e + e);
    }
    float* total = loss + part * kPartLanes;
    const vec old = load_part(total), sum = old + row;
    store_part(total, has_row ? select(load_mask(has_row, part), sum, old) : sum);
  }
}

// The gradient of a step's only row goes into the parameters at once. A scale of 1 is left out. Where the layer
// has N inputs they stay in registers; N = 0 stands for any number.
template <typename Rule, bool Masked, bool Scaled, int N>
__attribute__((noinline)) static void descend_layer_of(const ModelLanes& l, const float* scale, const Layer& layer,
                                                       const float* dz, const float* a) {
  // Copies: the compiler cannot know that a store leaves them as they are.
  const int in = N > 0 ? N : layer.in, out = layer.out;
  const int64_t m = l.m - l.parameters, v = l.v - l.parameters;
  for (int part = 0; part < kParts; ++part) {
    const Rule rule(l, part);
    const ivec alive = load_mask(l.alive, part);
    const vec factor = load_part(scale + part * kPartLanes);
    const auto descend = [&](float* p, vec g) {
      const vec old = load_part(p);
      const vec next = rule.template apply<Masked>(old, Scaled ? g * factor : g, p + m, p + v, alive);
      store_part(p, Masked ? select(alive, next, old) : next);
    };
    float* weight = lanes_of(l.parameters, layer.weight, part);
    float* bias = lanes_of(l.parameters, layer.bias, part);
    const float* inputs = lanes_of(a, 0, part);
    vec x[N > 0 ? N : 1];
    unrolled<N>([&](auto i) { x[decltype(i)::value] = load_part(inputs + decltype(i)::value * kLanes); });
    for (int j = 0; j < out; ++j, weight += static_cast<int64_t>(in) * kLanes, bias += kLanes) {
      const vec d = load_part(lanes_of(dz, j, part));
      if constexpr (N > 0) {
        unrolled<N>([&](auto i) { descend(weight + decltype(i)::value * kLanes, d * x[decltype(i)::value]); });
      } else {
        for (int i = 0; i < in; ++i) descend(weight + i * kLanes, d * load_part(inputs + i * kLanes));
      }
      descend(bias, d);
    }
  }
}

template <typename Rule, bool Masked, bool Scaled>
static void descend_layer(const ModelLanes& l, const float* scale, const Layer& layer, const float* dz, const float* a) {
  if constexpr (Rule::kSimple && !Masked) {
    if (layer.in <= kMostKeptInputs) {
      with_size<kMostKeptInputs>(layer.in, [&](auto n) {
        descend_layer_of<Rule, Masked, Scaled, decltype(n)::value>(l, scale, layer, dz, a);
      });
      return;
    }
  }
  descend_layer_of<Rule, Masked, Scaled, 0>(l, scale, layer, dz, a);
}

// gradient += the row's, or = where it is the first, in the lanes of `has_row`.
template <bool Start, bool Masked>
__attribute__((noinline)) static void add_gradient(const ModelLanes& l, const int32_t* has_row, const Layer& layer,
                                                   const float* dz, const float* a) {
  for (int part = 0; part < kParts; ++part) {
    const ivec mask = Masked ? load_mask(has_row, part) : ivec{};
    const auto put = [&](float* g, vec old, vec next) { store_part(g, Masked ? select(mask, next, old) : next); };
    for (int j = 0; j < layer.out; ++j) {
      const vec d = load_part(lanes_of(dz, j, part));
      float* row = lanes_of(l.gradient, layer.weight + static_cast<int64_t>(j) * layer.in, part);
      for (int i = 0; i < layer.in; ++i, row += kLanes) {
        const vec x = load_part(lanes_of(a, i, part)), old = Start ? vec{} : load_part(row);
        put(row, old, Start ? d * x : fma_part(d, x, old));
      }
      float* bias = lanes_of(l.gradient, layer.bias + j, part);
      const vec old = Start ? vec{} : load_part(bias);
      put(bias, old, Start ? d : old + d);
    }
  }
}

template <typename Rule, bool Masked>
__attribute__((noinline)) static void descend(const ModelLanes& l, const float* scale) {
  for (int part = 0; part < kParts; ++part) {
    const Rule rule(l, part);
    const ivec alive = load_mask(l.alive, part);
    const vec factor = load_part(scale + part * kPartLanes);
    for (int64_t i = 0; i < l.network.parameter_count; ++i) {
      float* p = lanes_of(l.parameters, i, part);
      const vec old = load_part(p), g = load_part(lanes_of(l.gradient, i, part));
      const vec next = rule.template apply<Masked>(old, g * factor, lanes_of(l.m, i, part), lanes_of(l.v, i, part), alive);
      store_part(p, Masked ? select(alive, next, old) : next);
    }
  }
}

// The learning rates of a step.
static void set_rates(ModelLanes& l, const double* rates) {
  for (int k = 0; k < kLanes; ++k) {
    l.exact_lr[k] = rates[k];
    l.lr[k] = static_cast<float>(rates[k]);
  }
}

// After a step, what Trainer::add_to_average does: the first parameters are copied.
__attribute__((noinline)) static void add_to_average(ModelLanes& l) {
  for (int part = 0; part < kParts; ++part) {
    const ivec moves = load_mask(l.alive, part) & load_mask(l.averages, part), begun = load_mask(l.averaged, part);
    const vec share = load_part(l.average_share + part * kPartLanes);
    for (int64_t i = 0; i < l.network.parameter_count; ++i) {
      float* average = lanes_of(l.average, i, part);
      const vec old = load_part(average), p = load_part(lanes_of(l.parameters, i, part));
      const vec way = share * (p - old);
      store_part(average, select(moves, select(begun, old + way, p), old));
    }
  }
  for (int k = 0; k < kLanes; ++k) l.averaged[k] |= l.alive[k] & l.averages[k];
}

// f(Type<Rule>(), Flag<masked>()) for the optimizer at hand.
template <typename T>
struct Type {
  using type = T;
};

template <typename F>
static void with_rule(const ModelLanes& l, bool masked, F f) {
  const auto with_mask = [&](auto rule) { masked ? f(rule, Index<1>()) : f(rule, Index<0>()); };
  switch (l.kind) {
    case RS_ADAM: return with_mask(Type<AdamRule<false>>());
    case RS_ADAMW: return with_mask(Type<AdamRule<true>>());
    default: return l.plain ? with_mask(Type<PlainRule>()) : with_mask(Type<SgdRule>());
  }
}

// The rows of slot `slot` of the tile, brought into lanes.
static void load_slot(const ModelLanes& l, const LaneTile& tile, int64_t slot, float* x, float* y) {
  const int in = l.network.layers[0].in, out = l.network.layers[l.network.count - 1].out;
  if (tile.shared) {
    const int64_t row = tile.index[slot];
    const auto spread = [](const float* from, int width, float* to) {
      for (int i = 0; i < width; ++i) store(to + i * kLanes, set1(from[i]));
    };
    spread(tile.x + row * in, in, x);
    spread(tile.y + row * out, out, y);
    return;
  }
  const int64_t* index = tile.index + slot * kLanes;
  load_columns(tile.x, in, index, false, kLanes, kLanes, x);
  load_columns(tile.y, out, index, false, kLanes, kLanes, y);
}

// Rows that the next steps need are on their way into the cache.
static void prefetch(const ModelLanes& l, const LaneTile& tile, int64_t slot) {
  if (tile.shared || slot >= tile.slots()) return;
  const int64_t in = l.network.layers[0].in, out = l.network.layers[l.network.count - 1].out;
  for (int k = 0; k < kLanes; ++k) {
    const int64_t row = tile.index[slot * kLanes + k];
    __builtin_prefetch(tile.x + row * in);
    __builtin_prefetch(tile.y + row * out);
  }
}

// Not as near as what the next steps need.
static void bring(Coming& coming) {
  for (int64_t i = 0; i < coming.lines && coming.current < coming.count; ++i) {
    Coming::Range& range = coming.ranges[coming.current];
    __builtin_prefetch(range.next, 0, 2);
    range.next += 64;
    if (range.next >= range.end) ++coming.current;
  }
}

// Marks the lanes whose loss is not finite as lost; says whether all of those that trained still do.
static bool check(ModelLanes& l, const float* loss) {
  ivec lost = {};
  for (int part = 0; part < kParts; ++part) {
    const ivec alive = load_mask(l.alive, part);
    const ivec bad = alive & ~(load_part(loss + part * kPartLanes) < set1_part(__builtin_inff()));
    lost |= bad | ~alive;
  }
  int32_t any = 0;
  for (int k = 0; k < kPartLanes; ++k) any |= lost[k];
  if (any) {
    for (int k = 0; k < kLanes; ++k) {
      if (!l.alive[k]) continue;
      l.loss[k] = loss[k];
      if (!(loss[k] < __builtin_inff())) l.alive[k] = 0;
    }
    for (int k = 0; k < kLanes; ++k) {
      if (!l.alive[k]) continue;
      l.loss_sum[k] += loss[k];
      l.steps[k] += 1;
    }
    return false;
  }
  for (int k = 0; k < kLanes; ++k) {
    l.loss[k] = loss[k];
    l.loss_sum[k] += loss[k];
    l.steps[k] += 1;
  }
  return true;
}

static bool anyone_trains(const ModelLanes& l) {
  int32_t any = 0;
  for (int k = 0; k < kLanes; ++k) any |= l.alive[k];
  return any != 0;
}

template <rs_activation A>
struct EnsemblePath {
  // ---- forward ----

  template <rs_activation B, int N>
  __attribute__((noinline)) static void forward_layer_of(const ModelLanes& l, const Layer& layer, const float* a, float* h) {
    const int in = N < kLanes ? N : layer.in, out = layer.out;
    for (int part = 0; part < kParts; ++part) {
      vec x[N];
      const float* inputs = lanes_of(a, 0, part);
      unrolled<N>([&](auto i) { x[decltype(i)::value] = load_part(inputs + decltype(i)::value * kLanes); });
      const float* weight = lanes_of(l.parameters, layer.weight, part);
      const float* bias = lanes_of(l.parameters, layer.bias, part);
      for (int j = 0; j < out; ++j, weight += static_cast<int64_t>(in) * kLanes) {
        const vec z = dot<N>(weight, inputs, x, in) + load_part(bias + j * kLanes);
        store_part(lanes_of(h, j, part), activate_part<B>(z));
      }
    }
  }

  template <rs_activation B>
  static void forward_layer(const ModelLanes& l, const Layer& layer, const float* a, float* h) {
    with_size<kLanes>(layer.in, [&](auto n) { forward_layer_of<B, decltype(n)::value>(l, layer, a, h); });
  }

  // Returns the outputs.
  static float* forward(const ModelLanes& l, const float* x, const EnsembleWorkspace& w) {
    const NetworkView& n = l.network;
    const float* a = x;
    float* h = w.activations;
    for (int k = 0; k + 1 < n.count; ++k) {
      forward_layer<A>(l, n.layers[k], a, h);
      a = h;
      h += static_cast<int64_t>(n.layers[k].out) * kLanes;
    }
    forward_layer<RS_IDENTITY>(l, n.layers[n.count - 1], a, h);
    return h;
  }

  // ---- backward ----

  static void backward_inputs(const ModelLanes& l, const Layer& layer, const float* dz, const float* a, float* da) {
    for (int part = 0; part < kParts; ++part) {
      for (int i = 0; i < layer.in; ++i) {
        const float* w = lanes_of(l.parameters, layer.weight + i, part);
        vec total = load_part(lanes_of(dz, 0, part)) * load_part(w);
        for (int j = 1; j < layer.out; ++j) {
          w += static_cast<int64_t>(layer.in) * kLanes;
          total = fma_part(load_part(lanes_of(dz, j, part)), load_part(w), total);
        }
        store_part(lanes_of(da, i, part), activation_gradient_part<A>(total, load_part(lanes_of(a, i, part))));
      }
    }
  }

  // From the last layer to the first, f(layer, dz, a) for each.
  template <typename F>
  RS_INLINE static void for_layers_back(const ModelLanes& l, const float* x, const float* outputs, EnsembleWorkspace& w, F f) {
    const float* h = outputs;
    for (int k = l.network.count - 1; k >= 0; --k) {
      const Layer& layer = l.network.layers[k];
      const float* a = k == 0 ? x : h - static_cast<int64_t>(layer.in) * kLanes;
      if (k > 0) backward_inputs(l, layer, w.dz, a, w.previous_dz);
      f(layer, w.dz, a);
      float* other = w.dz;
      w.dz = w.previous_dz;
      w.previous_dz = other;
      h = a;
    }
  }

  // ---- steps ----

  // A step of one row in each lane.
  static void single_step(ModelLanes& l, const float* scale, const float* x, const float* y, EnsembleWorkspace& w) {
    alignas(64) float loss[kLanes] = {};
    const float* outputs = forward(l, x, w);
    errors(l, outputs, y, nullptr, w.dz, loss);
    const bool all = check(l, loss);
    if (l.kind != RS_SGD) begin_adam_step(l);
    const bool scaled = l.network.layers[l.network.count - 1].out > 1;
    with_rule(l, !all, [&](auto rule, auto masked) {
      using Rule = typename decltype(rule)::type;
      constexpr bool kMasked = decltype(masked)::value == 1;
      const auto descend = scaled ? &descend_layer<Rule, kMasked, true> : &descend_layer<Rule, kMasked, false>;
      for_layers_back(l, x, outputs, w, [&](const Layer& layer, const float* dz, const float* a) {
        descend(l, scale, layer, dz, a);
      });
    });
  }

  // A step of `rows` rows, or in a ragged tile as many as each lane has.
  static void batch_step(ModelLanes& l, const LaneTile& tile, int64_t slot, const float* scale, EnsembleWorkspace& w) {
    alignas(64) float loss[kLanes] = {};
    const int64_t in = l.network.layers[0].in, out = l.network.layers[l.network.count - 1].out;
    for (int r = 0; r < tile.rows; ++r) {
      const float* x = w.x + r * in * kLanes;
      const float* y = w.y + r * out * kLanes;
      load_slot(l, tile, slot + r, w.x + r * in * kLanes, w.y + r * out * kLanes);
      alignas(64) int32_t has_row[kLanes];
      for (int k = 0; k < kLanes; ++k) has_row[k] = r < tile.counts[k] ? -1 : 0;
      const float* outputs = forward(l, x, w);
      errors(l, outputs, y, tile.ragged ? has_row : nullptr, w.dz, loss);
      for_layers_back(l, x, outputs, w, [&](const Layer& layer, const float* dz, const float* a) {
        if (r == 0) {
          add_gradient<true, false>(l, nullptr, layer, dz, a);
        } else if (tile.ragged) {
          add_gradient<false, true>(l, has_row, layer, dz, a);
        } else {
          add_gradient<false, false>(l, nullptr, layer, dz, a);
        }
      });
    }
    const bool all = check(l, loss);
    if (l.kind != RS_SGD) begin_adam_step(l);
    with_rule(l, !all, [&](auto rule, auto masked) {
      descend<typename decltype(rule)::type, decltype(masked)::value == 1>(l, scale);
    });
  }

  static void steps(ModelLanes& l, const LaneTile& tile, float* workspace) {
    EnsembleWorkspace w(l.network, workspace);
    const int out = l.network.layers[l.network.count - 1].out;
    alignas(64) float scale[kLanes];
    for (int k = 0; k < kLanes; ++k) {
      scale[k] = tile.counts[k] == 0 ? 0 : static_cast<float>(1 / (static_cast<double>(tile.counts[k]) * out));
    }
    for (int64_t s = 0; s < tile.steps && anyone_trains(l); ++s) {
      const int64_t slot = s * tile.rows;
      if (tile.rates) set_rates(l, tile.rates + s * kLanes);
      if (tile.coming) bring(*tile.coming);
      for (int r = 0; r < tile.rows; ++r) prefetch(l, tile, slot + 2 * tile.rows + r);
      if (tile.rows == 1) {
        load_slot(l, tile, slot, w.x, w.y);
        single_step(l, scale, w.x, w.y, w);
      } else {
        batch_step(l, tile, slot, scale, w);
      }
      for (int k = 0; k < kLanes; ++k) l.first[k] &= ~l.alive[k];
      if (l.average) add_to_average(l);
    }
  }
};

}  // namespace rs::cpu::RS_ISA
