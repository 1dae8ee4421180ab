// Bias, leaky ReLU and gain in one pass over memory on the GPU; with a gate also their derivatives.
#include "launch.cuh"

namespace talkingface {
namespace {

template <typename T, typename S>
__global__ void gate_all(const T* __restrict__ x, const T* __restrict__ bias, const T* __restrict__ gate,
                         T* __restrict__ y, int64_t size, int64_t channels, int64_t inner, S above, S below) {
  for (int64_t i = first_piece(); i < size; i += piece_step()) {
    S sum = static_cast<S>(x[i]);
    if (bias != nullptr) sum += static_cast<S>(bias[i / inner % channels]);
    const S sign = gate == nullptr ? sum : static_cast<S>(gate[i]);
    y[i] = static_cast<T>(sum * (sign > S(0) ? above : below));
  }
}

template <typename T>
int run(const T* x, const T* bias, const T* gate, T* y, int64_t samples, int64_t channels, int64_t inner,
        double above, double below, int device, cudaStream_t stream) {
  using S = typename Sum<T>::type;
  const int64_t size = samples * channels * inner;
  return launch(gate_all<T, S>, size, device, stream, x, bias, gate, y, size, channels, inner, static_cast<S>(above),
                static_cast<S>(below));
}

}  // namespace
}  // namespace talkingface

// As in fused_leaky_relu.cpp, on a device and in a stream. Returns 0 or CUDA's error.
#define TALKINGFACE_GATED(NAME, TYPE)                                                                              \
  extern "C" int talkingface_gated_##NAME(const TYPE* x, const TYPE* bias, const TYPE* gate, TYPE* y,              \
                                          int64_t samples, int64_t channels, int64_t inner, double above,          \
                                          double below, int device, cudaStream_t stream) {                         \
    return talkingface::run<TYPE>(x, bias, gate, y, samples, channels, inner, above, below, device, stream);       \
  }

TALKINGFACE_GATED(float32, float)
TALKINGFACE_GATED(float64, double)
#ifdef __CUDACC__
TALKINGFACE_GATED(float16, __half)
TALKINGFACE_GATED(bfloat16, __nv_bfloat16)
#endif
