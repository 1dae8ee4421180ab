// Resampling of pictures with separable filters on the processor.
//
// Row by row of the output: the input rows under the filter are first mixed into one row (they stay in the cache from
// one output row to the next), which is then filtered along its width. Nothing as large as the picture lies in between.
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "polyphase.h"

namespace talkingface {
namespace {

constexpr int64_t kGrain = 1 << 14;  // outputs that are worth a thread

template <typename T, int COUNT>
void mix_rows(T* __restrict out, const T* const* rows, const T* weights, int64_t length) {
  for (int64_t i = 0; i < length; ++i) {
    T sum = weights[0] * rows[0][i];
    for (int m = 1; m < COUNT; ++m) sum += weights[m] * rows[m][i];
    out[i] = sum;
  }
}

template <typename T>
void mix(T* __restrict out, const T* const* rows, const T* weights, int64_t count, int64_t length) {
  switch (count) {
    case 0: std::fill(out, out + length, T(0)); return;
    case 1: mix_rows<T, 1>(out, rows, weights, length); return;
    case 2: mix_rows<T, 2>(out, rows, weights, length); return;
    case 3: mix_rows<T, 3>(out, rows, weights, length); return;
    case 4: mix_rows<T, 4>(out, rows, weights, length); return;
  }
  mix_rows<T, 4>(out, rows, weights, length);
  for (int64_t m = 4; m < count; ++m)
    for (int64_t i = 0; i < length; ++i) out[i] += weights[m] * rows[m][i];
}

// Outputs 0, stride, 2 * stride... from a row; COUNT taps.
template <typename T, int DOWN, int COUNT>
void slide(T* __restrict out, const T* __restrict row, const T* taps, int64_t length) {
  T w[COUNT];
  std::copy(taps, taps + COUNT, w);
  for (int64_t t = 0; t < length; ++t) {
    T sum = w[0] * row[t * DOWN];
    for (int m = 1; m < COUNT; ++m) sum += w[m] * row[t * DOWN + m];
    out[t] = sum;
  }
}

// Both phases of a doubling at once, so that what is written is contiguous.
template <typename T>
void slide_doubling(T* __restrict out, const T* __restrict even, const T* __restrict odd, const T* we, const T* wo,
                    int64_t pairs) {
  const T e0 = we[0], e1 = we[1], o0 = wo[0], o1 = wo[1];
  for (int64_t t = 0; t < pairs; ++t) {
    out[2 * t] = e0 * even[t] + e1 * even[t + 1];
    out[2 * t + 1] = o0 * odd[t] + o1 * odd[t + 1];
  }
}

template <typename T>
struct Axis {
  std::vector<Phase> phases;
  std::vector<std::vector<T>> taps;  // of each phase, one filter after the other

  Axis(const Sizes& s, int64_t pad, int64_t size, const double* filters) {
    for (int64_t p = 0; p < s.up; ++p) {
      phases.push_back(phase_of(p, s.up, s.down, pad, size));
      taps.emplace_back();
      for (int64_t r = 0; r < s.rank; ++r)
        for (int64_t m = 0; m < phases[p].count; ++m)
          taps[p].push_back(static_cast<T>(filters[r * size + phases[p].first + m * s.up]));
    }
  }
};

template <typename T>
class Resampler {
 public:
  Resampler(const Sizes& sizes, const double* columns, const double* rows)
      : s_(sizes),
        vertical_(sizes, sizes.pad_top, sizes.taps_height, columns),
        horizontal_(sizes, sizes.pad_left, sizes.taps_width, rows) {
    low_ = horizontal_.phases[0].offset;
    int64_t high = low_;
    for (int64_t p = 0; p < s_.up; ++p) {
      const Phase& phase = horizontal_.phases[p];
      low_ = std::min(low_, phase.offset);
      high = std::max(high, (s_.out_width / s_.up) * s_.down + phase.offset + phase.count);
    }
    width_ = high - low_;
    begin_ = std::clamp<int64_t>(low_, 0, s_.in_width);
    end_ = std::clamp<int64_t>(high, begin_, s_.in_width);
  }

  // Output rows [from, to), counted through all planes.
  void run(const T* x, T* y, int64_t from, int64_t to) const {
    std::vector<T> row(width_, T(0)), line(s_.rank > 1 ? s_.out_width : 0);
    std::vector<const T*> sources(s_.taps_height);
    std::vector<T> weights(s_.taps_height);
    for (int64_t number = from; number < to; ++number) {
      const T* plane = x + (number / s_.out_height) * s_.in_height * s_.in_width;
      T* out = y + number * s_.out_width;
      for (int64_t r = 0; r < s_.rank; ++r) {
        mix_column(plane, number % s_.out_height, r, row.data(), sources.data(), weights.data());
        filter_row(row.data(), r, r == 0 ? out : line.data());
        if (r > 0)
          for (int64_t i = 0; i < s_.out_width; ++i) out[i] += line[i];
      }
    }
  }

 private:
  void mix_column(const T* plane, int64_t o, int64_t r, T* row, const T** sources, T* weights) const {
    const Phase& phase = vertical_.phases[o % s_.up];
    const T* taps = vertical_.taps[o % s_.up].data() + r * phase.count;
    const int64_t top = (o / s_.up) * s_.down + phase.offset;
    int64_t count = 0;
    for (int64_t m = std::max<int64_t>(0, -top); m < std::min(phase.count, s_.in_height - top); ++m) {
      sources[count] = plane + (top + m) * s_.in_width + begin_;
      weights[count++] = taps[m];
    }
    mix(row + (begin_ - low_), sources, weights, count, end_ - begin_);
  }

  void filter_row(const T* row, int64_t r, T* out) const {
    const Phase& phase = horizontal_.phases[0];
    const T* taps = horizontal_.taps[0].data() + r * phase.count;
    const T* begin = row + (phase.offset - low_);
    if (s_.up == 1 && s_.down == 1 && phase.count == 4) return slide<T, 1, 4>(out, begin, taps, s_.out_width);
    if (s_.up == 1 && s_.down == 2 && phase.count == 4) return slide<T, 2, 4>(out, begin, taps, s_.out_width);
    int64_t done = 0;
    if (s_.up == 2 && s_.down == 1 && phase.count == 2 && horizontal_.phases[1].count == 2) {
      const T* odd = row + (horizontal_.phases[1].offset - low_);
      slide_doubling(out, begin, odd, taps, horizontal_.taps[1].data() + 2 * r, s_.out_width / 2);
      done = s_.out_width / 2 * 2;
    }
    for (; done < s_.out_width; ++done) out[done] = output(row, r, done);
  }

  T output(const T* row, int64_t r, int64_t o) const {
    const int64_t p = o % s_.up;
    const Phase& phase = horizontal_.phases[p];
    const T* taps = horizontal_.taps[p].data() + r * phase.count;
    const T* begin = row + (o / s_.up) * s_.down + phase.offset - low_;
    T sum = 0;
    for (int64_t m = 0; m < phase.count; ++m) sum += taps[m] * begin[m];
    return sum;
  }

  Sizes s_;
  Axis<T> vertical_, horizontal_;
  int64_t low_, width_;    // input columns that any output needs, some of them outside the picture
  int64_t begin_, end_;    // those inside
};

template <typename T>
void resample(const T* x, T* y, const Sizes& sizes, const double* columns, const double* rows) {
  const Resampler<T> resampler(sizes, columns, rows);
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, sizes.out_width));
  at::parallel_for(0, sizes.planes * sizes.out_height, grain,
                   [&](int64_t from, int64_t to) { resampler.run(x, y, from, to); });
}

}  // namespace
}  // namespace talkingface

// columns (rank, taps_height) and rows (rank, taps_width): factors of the filter in sliding order; their products add up.
extern "C" void talkingface_upfirdn2d_float32(const float* x, float* y, const talkingface::Sizes* sizes,
                                              const double* columns, const double* rows) {
  talkingface::resample(x, y, *sizes, columns, rows);
}

extern "C" void talkingface_upfirdn2d_float64(const double* x, double* y, const talkingface::Sizes* sizes,
                                              const double* columns, const double* rows) {
  talkingface::resample(x, y, *sizes, columns, rows);
}
