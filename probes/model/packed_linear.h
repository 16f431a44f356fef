// Matrix products with weights that are laid out for the CPU's vector units beforehand: by oneDNN
// where there is AVX-512, at tile size about a sixth faster than products with plain ones;
// otherwise by columns, which MKL reads faster.
#pragma once

#include <ATen/core/Tensor.h>

#include "probes/model/weights.h"

namespace couplingd {

// Lays out the projections' weights anew, one at a time on each thread, where they are on the CPU
// in fp32: oneDNN's replace `weight` where sums are short enough for it, columns stay there.
void PackProjections(LayerWeights& layer);

// x [rows, in] to [rows, out]. `projection.packed` is defined.
at::Tensor PackedLinear(const Projection& projection, const at::Tensor& x);

}  // namespace couplingd
