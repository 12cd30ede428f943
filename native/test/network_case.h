// A random network with random rows, in memory that notices a stray access.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "cpu/kernels.h"
#include "guarded_array.h"
#include "network.h"
#include "random.h"
#include "reference_network.h"

namespace test {

// One to four layers, widths that are and are not whole vectors or tiles, few and many parameters.
inline const std::vector<std::vector<int32_t>> kShapes = {
    {1, 1},       {3, 2},         {1, 1, 1},     {2, 3, 1},       {10, 20, 1},         {4, 16, 1},
    {7, 13, 5},   {16, 16, 16},   {16, 32, 1},   {12, 1, 2},      {17, 31, 2, 1},      {64, 33, 1},
    {6, 9, 1},    {13, 5, 1},     {1, 70, 1},    {70, 1, 70},     {65, 66, 67},        {48, 48, 48, 4},
    {5, 7, 11, 13, 3},            {70, 69, 68, 67, 1},
    {53, 19, 3},  {2, 2, 2, 2},   {8, 61, 9, 1}, {15, 16, 17, 1}, {13, 64, 64, 1},     {29, 8, 41, 2, 23},
};

// Rows that fill vectors, tiles and blocks, and some more or fewer.
inline const std::vector<int64_t> kRowCounts = {1,   2,   3,   4,   5,   6,   7,   8,   15,  16,
                                                17,  127, 128, 129, 255, 256, 257, 511, 512, 513, 1000};

// The row path is for few.
constexpr int64_t kMostRowPathRows = 17;

inline const rs_activation kActivations[] = {RS_IDENTITY, RS_RELU, RS_TANH, RS_SIGMOID};

struct NetworkCase {
  rs::Network network;
  GuardedArray parameters;
  GuardedArray x;
  GuardedArray y;
  GuardedArray loss_weights;
  int64_t rows;

  // No ReLU comes so close to 0 that rounding could decide on which side of it.
  NetworkCase(const std::vector<int32_t>& sizes, rs_activation activation, int64_t rows, uint64_t seed)
      : network(sizes.data(), static_cast<int32_t>(sizes.size()), activation),
        parameters(network.parameter_count),
        x(rows * network.inputs()),
        y(rows * network.outputs()),
        loss_weights(network.outputs()),
        rows(rows) {
    Random random(seed);
    draw_parameters(random);
    ReferenceNetwork reference(network, parameters.get());
    for (int64_t r = 0; r < rows; ++r) draw_row(random, reference, r);
    for (int64_t o = 0; o < loss_weights.size(); ++o) loss_weights[o] = random.uniform(0.5f, 2.0f);
  }

  rs::cpu::NetworkView view() const {
    return {network.layers.data(), static_cast<int32_t>(network.layers.size()), network.activation,
            network.parameter_count, network.widest};
  }

  rs::cpu::Pass pass() const { return {view(), parameters.get(), loss_weights.get()}; }

  std::string name() const {
    static const char* const kNames[] = {"identity", "relu", "tanh", "sigmoid"};
    std::string name = std::to_string(network.inputs());
    for (const rs::Layer& layer : network.layers) name += "," + std::to_string(layer.out);
    return name + " " + kNames[network.activation];
  }

 private:
  void draw_parameters(Random& random) {
    for (const rs::Layer& layer : network.layers) {
      const float bound = 1.0f / std::sqrt(static_cast<float>(layer.in));
      for (int64_t i = layer.weight; i < layer.bias + layer.out; ++i) parameters[i] = random.uniform(-bound, bound);
    }
  }

  void draw_row(Random& random, ReferenceNetwork& reference, int64_t row) {
    const int64_t in = network.inputs(), out = network.outputs();
    do {
      for (int64_t i = 0; i < in; ++i) x[row * in + i] = random.uniform(-1, 1);
    } while (network.activation == RS_RELU && reference.nearest_to_zero(&x[row * in]) < 1e-5);
    // Far from what the network says and on one side of it, so that neither an error nor a sum over rows
    // is a difference of almost equal numbers.
    for (int64_t o = 0; o < out; ++o) y[row * out + o] = (o % 2 ? -1.0f : 1.0f) * random.uniform(3, 4);
  }
};

}  // namespace test
