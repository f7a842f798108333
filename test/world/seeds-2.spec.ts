import { describeSeeds } from './describe-seeds';
import { SEEDS } from './scale';

describeSeeds(1 + SEEDS / 2, SEEDS / 2);
