import { describeSeeds } from './describe-seeds';
import { SEEDS } from './scale';

// In two files, so that two workers share them.
describeSeeds(1, SEEDS / 2);
