/* SPDX-License-Identifier: Apache-2.0 */
/* kinds_test.h - what the tests of kinds include */
#ifndef SPILLWAY_KINDS_TEST_H
#define SPILLWAY_KINDS_TEST_H

#include <criterion/criterion.h>
#include <string.h>
#include "../../support/json_of.h"
#include "spillway/kinds.h"
#include "spillway/text.h"

#endif
