// One operator as an XNNPACK subgraph of one node, and the runtime made from it.
#ifndef WHIT_KERNELS_XNNPACK_NODE_H_
#define WHIT_KERNELS_XNNPACK_NODE_H_

#include <xnnpack.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/op.h"

namespace whit {

/// Collects values and the node of a subgraph; the first failure sticks.
class XnnBuilder {
 public:
  XnnBuilder(xnn_subgraph_t subgraph, uint32_t inputs) : subgraph_(subgraph), inputs_(inputs) {}

  xnn_subgraph_t subgraph() const { return subgraph_; }
  /// External values in the order of the operator's inputs and outputs.
  uint32_t Input(uint32_t index, const std::vector<size_t>& dims);
  uint32_t Output(const std::vector<size_t>& dims);
  /// `data` stays alive as long as the node.
  uint32_t Static(const std::vector<size_t>& dims, const float* data);
  void Node(xnn_status status) { Keep(status); }
  xnn_status status() const { return status_; }

 private:
  uint32_t Value(const std::vector<size_t>& dims, const float* data, uint32_t external,
                 uint32_t flags);
  void Keep(xnn_status status) {
    if (status_ == xnn_status_success) status_ = status;
  }
  xnn_subgraph_t subgraph_;
  uint32_t inputs_;
  xnn_status status_ = xnn_status_success;
};

/// What a step needs to make its runtime, once without threads when the plan is made and again for
/// the pool it runs with.
struct XnnRecipe {
  uint32_t inputs = 1;
  std::function<void(XnnBuilder&)> define;
  size_t pointers = 0;  // bound on XNNPACK's indirection buffer: one a tap and output pixel
  std::vector<float> weights,
      bias;  // in XNNPACK's order; it reads them as long as the runtime lives
};

/// Completes *prepared: reference (already prepared by the operator's row) gives macs. Not
/// accepted, with the reason, where XNNPACK refuses the node.
Status PrepareXnn(std::shared_ptr<XnnRecipe> recipe, const Prepared& reference, Prepared* prepared,
                  bool* accepted, std::string* why_not);

/// Shape as XNNPACK wants it: at least one axis.
std::vector<size_t> XnnDims(const Shape& shape);

}  // namespace whit

#endif  // WHIT_KERNELS_XNNPACK_NODE_H_
