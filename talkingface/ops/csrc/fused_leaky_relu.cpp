// Bias, leaky ReLU and gain in one pass over memory on the processor; with a gate also their derivatives.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace talkingface {
namespace {

constexpr int64_t kGrain = 1 << 15;  // elements that are worth a thread

template <typename T>
struct Slopes {
  T above, below;

  T operator()(T value, T gate) const { return value * (gate > T(0) ? above : below); }
};

// One channel's stretch: the bias is one number.
template <typename T>
void stretch(const T* __restrict x, T bias, const T* __restrict gate, T* __restrict y, int64_t length, Slopes<T> slopes) {
  if (gate == nullptr)
    for (int64_t i = 0; i < length; ++i) y[i] = slopes(x[i] + bias, x[i] + bias);
  else
    for (int64_t i = 0; i < length; ++i) y[i] = slopes(x[i] + bias, gate[i]);
}

// One sample without width or height: each element has its own bias.
template <typename T>
void across(const T* __restrict x, const T* __restrict bias, const T* __restrict gate, T* __restrict y, int64_t length,
            Slopes<T> slopes) {
  for (int64_t i = 0; i < length; ++i) {
    const T sum = bias == nullptr ? x[i] : x[i] + bias[i];
    y[i] = slopes(sum, gate == nullptr ? sum : gate[i]);
  }
}

template <typename T>
void apply(const T* x, const T* bias, const T* gate, T* y, int64_t samples, int64_t channels, int64_t inner,
           Slopes<T> slopes) {
  const int64_t length = inner == 1 ? channels : inner;  // of what is done at once
  const int64_t pieces = samples * channels * inner / std::max<int64_t>(1, length);
  // Ranges are counted in elements, as there may be few pieces that are large.
  at::parallel_for(0, pieces * length, kGrain, [&](int64_t from, int64_t to) {
    while (from < to) {
      const int64_t piece = from / length, size = std::min(to, (piece + 1) * length) - from;
      const T* gates = gate == nullptr ? nullptr : gate + from;
      if (inner == 1)
        across(x + from, bias == nullptr ? nullptr : bias + from % length, gates, y + from, size, slopes);
      else
        stretch(x + from, bias == nullptr ? T(0) : bias[piece % channels], gates, y + from, size, slopes);
      from += size;
    }
  });
}

}  // namespace
}  // namespace talkingface

// y = (x + bias) * (above where gate > 0, else below), x (samples, channels, inner). bias may be null: none; gate may be
// null: the sum itself.
extern "C" void talkingface_gated_float32(const float* x, const float* bias, const float* gate, float* y,
                                          int64_t samples, int64_t channels, int64_t inner, double above,
                                          double below) {
  talkingface::apply<float>(x, bias, gate, y, samples, channels, inner,
                            {static_cast<float>(above), static_cast<float>(below)});
}

extern "C" void talkingface_gated_float64(const double* x, const double* bias, const double* gate, double* y,
                                          int64_t samples, int64_t channels, int64_t inner, double above,
                                          double below) {
  talkingface::apply<double>(x, bias, gate, y, samples, channels, inner, {above, below});
}
